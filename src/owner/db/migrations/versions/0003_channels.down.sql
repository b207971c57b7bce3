DROP TABLE contact_addresses, contacts, channel_addresses, twilio_accounts;
