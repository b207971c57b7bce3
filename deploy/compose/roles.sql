-- Runs once, when the Postgres container makes its data folder.
-- owner_admin owns the database and migrates it; owner_service serves and is bound by row level security.
-- `owner migrate` grants owner_service what it may do.

\getenv admin_password POSTGRES_ADMIN_PASSWORD
\getenv service_password POSTGRES_SERVICE_PASSWORD

CREATE ROLE owner_admin LOGIN CREATEROLE PASSWORD :'admin_password';
CREATE ROLE owner_service LOGIN PASSWORD :'service_password';

ALTER DATABASE owner OWNER TO owner_admin;
