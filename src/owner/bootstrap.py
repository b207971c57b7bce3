"""The one place that knows concrete classes: settings in, wired use cases out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from owner.db.database import Database
from owner.deployment import application_url, listen_url, secret_keys
from owner.integrations import late
from owner.integrations.disk import DiskMediaStore
from owner.integrations.twilio.breaker import AccountBreakers
from owner.integrations.twilio.errors import explain
from owner.integrations.twilio.file_types import sniff
from owner.integrations.twilio.forms import account_sid, addresses, inbound_message
from owner.integrations.twilio.rate import SenderRates
from owner.integrations.twilio.signature import verify
from owner.models.errors import Misconfigured
from owner.models.network import IPNetwork, parse_networks
from owner.models.trusted_proxies import TrustedProxies
from owner.repositories.partitions import ForgettingTable
from owner.services.access import AccessService
from owner.services.account import AccountService
from owner.services.address_book import AddressBook
from owner.services.api_keys import ApiKeyService
from owner.services.assignments import AssignmentService
from owner.services.attachments import AttachmentService
from owner.services.bulk import BulkService
from owner.services.canned_replies import CannedReplyService
from owner.services.catalog import Services
from owner.services.channel_setup import ChannelSetupService
from owner.services.clock import SteadyClock
from owner.services.closure_detector import ClosureDetector
from owner.services.closure_trial import ClosureTrialService
from owner.services.consents import ConsentService
from owner.services.contact_erasure import ContactErasureService
from owner.services.contact_export import ContactExportService
from owner.services.contact_merges import ContactMergeService
from owner.services.contacts import ContactService
from owner.services.conversation_changes import ConversationChangeService
from owner.services.conversation_reads import ConversationReadService
from owner.services.conversation_threads import ConversationThreadService
from owner.services.conversation_views import ConversationViewService
from owner.services.conversations import ConversationService
from owner.services.deliveries import DeliveryService
from owner.services.delivery_statuses import DeliveryStatusService
from owner.services.event_feed import EventFeedService, EventReader
from owner.services.event_follower import EventFollower
from owner.services.event_list import EventListService
from owner.services.event_streams import EventStreamService, StreamLimits
from owner.services.facts import FactReader
from owner.services.features import FeatureService
from owner.services.health import HealthService
from owner.services.housekeeping import HousekeepingService
from owner.services.idempotency import IdempotencyService
from owner.services.inbound import InboundService
from owner.services.labels import LabelService
from owner.services.media import MediaService
from owner.services.media_courier import MediaCourier
from owner.services.message_courier import MessageCourier
from owner.services.messages import MessageService
from owner.services.notes import NoteService
from owner.services.outbox_sweep import OutboxSweepService
from owner.services.owner_settings import OwnerSettingsService
from owner.services.password_links import PasswordLinkService
from owner.services.password_resets import PasswordResetService
from owner.services.platform_keys import PlatformKeyService
from owner.services.ports import Clock, MessageGateway
from owner.services.presence import PresenceService
from owner.services.quarantine import QuarantineService
from owner.services.rate_limits import RateLimitService, RateLimitSettings
from owner.services.reconciliation import ReconciliationService
from owner.services.reports import ReportService
from owner.services.search import SearchReader, SearchService
from owner.services.second_factor import SecondFactorCodes, SecondFactorService
from owner.services.secret_rotation import SecretRotationService
from owner.services.secrets_box import FernetBox
from owner.services.sessions import SessionService
from owner.services.suppressions import SuppressionList
from owner.services.templates import TemplateService
from owner.services.tenant_erasure import TenantErasureService
from owner.services.tenant_export import TenantExportService
from owner.services.tenant_import import TenantImportService
from owner.services.tenants import TenantService
from owner.services.timeouts import TimeoutService
from owner.services.twilio_accounts import TwilioService
from owner.services.twilio_settings import TwilioSettingsService
from owner.services.users import UserService
from owner.services.visits import VisitService
from owner.services.webhook_courier import WebhookCourier
from owner.services.webhook_deliveries import WebhookDeliveryService
from owner.services.webhook_endpoints import WebhookEndpointService
from owner.services.webhook_fan_out import WebhookFanOut
from owner.services.webhooks import WebhookService
from owner.settings import Settings

if TYPE_CHECKING:
    from owner.integrations.smtp import SmtpMailer

DEFAULT_PUBLIC_URL: Final = "http://127.0.0.1:8000"


@asynccontextmanager
async def open_services(
    settings: Settings, *, is_lasting: bool = False, may_be_away: bool = False
) -> AsyncIterator[Services]:
    """The use cases over a pool of connections, after the database was found fit for them.

    A process that `is_lasting` has one connection more, by which such processes tell each other what is new. Where
    somebody has found the database fit before, it `may_be_away` now: it is waited for in the background.

    Raises:
        DatabaseUnavailable, SchemaOutdated, UnsafeDatabaseRole, Misconfigured: what to do is in the message.
    """
    box = FernetBox(secret_keys(settings))
    database = await Database.connect(
        application_url(settings), pool_size=settings.database_pool_size, may_be_away=may_be_away
    )
    clock = SteadyClock()
    gateway = late.gateway(settings.twilio_api_url, clock=clock)
    try:
        if not database.is_away:
            await database.refuse_other_schema()
            await database.refuse_unsafe_role()
            await clock.ask(database)
        services = wire(settings, database, gateway, box, clock)
        try:
            async with AsyncExitStack() as lasting:
                if is_lasting:
                    await lasting.enter_async_context(database.notices.connected(listen_url(settings)))
                    await lasting.enter_async_context(clock.following(database))
                yield services
        finally:
            await services.inbound.aclose()
            await services.deliveries.aclose()
            await services.webhook_courier.aclose()
            await services.channel_setup.aclose()
            await services.reconciliation.message_log.aclose()
            await services.rate_limits.aclose()
    finally:
        await gateway.aclose()
        await database.close()


def wire(
    settings: Settings, database: Database, gateway: MessageGateway, box: FernetBox, clock: Clock
) -> Services:
    """Every use case with what it needs."""
    public_url = settings.public_url or DEFAULT_PUBLIC_URL
    store = DiskMediaStore(settings.media_folder)
    twilio = TwilioService(database, clock=clock, secrets_box=box, gateway=gateway, public_url=public_url)
    suppressions = SuppressionList(box)
    address_book = AddressBook(clock=clock, suppressions=suppressions)
    contacts = ContactService(database, clock=clock, address_book=address_book)
    conversations = ConversationService(database, clock=clock, address_book=address_book)
    assignments = AssignmentService(conversations, clock=clock)
    changes = ConversationChangeService(database, clock=clock, conversations=conversations)
    labels = LabelService(database, clock=clock)
    reads = ConversationReadService(database)
    rate = SenderRates(sms=settings.send_rate_sms, whatsapp=settings.send_rate_whatsapp)
    limits = rate_limits(settings)
    detector = ClosureDetector()
    inbound = InboundService(database, clock=clock, detector=detector, suppressions=suppressions)
    account = AccountService(database, clock=clock, rate_limits=limits)
    codes = SecondFactorCodes(box, rate_limits=limits)
    links = PasswordLinkService(
        database, clock=clock, public_url=public_url, rate_limits=limits, mailer=mailer(settings)
    )
    quarantine = QuarantineService(
        database,
        twilio=twilio,
        inbound=inbound,
        reads=inbound_message,
        reads_account=account_sid,
        per_hour=settings.quarantine_per_hour,
    )
    networks = _allowed_networks(settings)
    courier = WebhookCourier(database, clock=clock, secrets_box=box, sender=late.webhook_sender(networks))
    channel_setup = ChannelSetupService(
        database, twilio=twilio, setup=late.channel_setup(settings.twilio_api_url)
    )
    deliveries = DeliveryService(
        database, clock=clock, gateway=gateway, twilio=twilio, rate=rate, breaker=AccountBreakers()
    )
    media = MediaService(database, clock=clock, gateway=gateway, twilio=twilio, store=store)
    templates = TemplateService(database, gateway=gateway, twilio=twilio)
    messages = MessageService(
        database, clock=clock, conversations=conversations, rate_limits=limits, templates=templates
    )
    delivery_statuses = DeliveryStatusService(database, clock=clock)
    event_feed = EventFeedService(database, clock=clock, readers=_event_readers(clock, courier))
    return Services(
        database=database,
        public_url=public_url,
        trusted_proxies=TrustedProxies.parse(settings.trusted_proxies),
        secrets_box=box,
        access=AccessService(database, clock=clock),
        channel_setup=channel_setup,
        closure_trial=ClosureTrialService(database, detector=detector),
        account=account,
        api_keys=ApiKeyService(database, clock=clock),
        assignments=assignments,
        attachments=AttachmentService(
            messages, clock=clock, media=media, secrets_box=box, sniffs=sniff, public_url=public_url
        ),
        bulk=BulkService(
            conversations=conversations,
            assignments=assignments,
            changes=changes,
            labels=labels,
            reads=reads,
        ),
        canned_replies=CannedReplyService(database, clock=clock),
        conversation_changes=changes,
        conversation_reads=reads,
        consents=ConsentService(database, clock=clock, contacts=contacts, address_book=address_book),
        contact_erasure=ContactErasureService(
            database, clock=clock, secrets_box=box, suppressions=suppressions, store=store
        ),
        contact_export=ContactExportService(database),
        contact_merges=ContactMergeService(database, clock=clock),
        contacts=contacts,
        conversation_threads=ConversationThreadService(database),
        conversation_views=ConversationViewService(database),
        conversations=conversations,
        deliveries=deliveries,
        delivery_statuses=delivery_statuses,
        event_feed=event_feed,
        event_follower=EventFollower(database, event_feed),
        event_list=EventListService(database),
        event_streams=EventStreamService(
            database, limits=StreamLimits(settings.streams_per_caller, settings.streams_per_owner)
        ),
        features=FeatureService(database, clock=clock),
        health=HealthService(database, clock=clock),
        housekeeping=HousekeepingService(
            database, kept_for=_kept_for(settings), readers=[reader.name for reader in event_feed.readers]
        ),
        idempotency=IdempotencyService(database, clock=clock, secrets_box=box),
        inbound=inbound,
        labels=labels,
        media=media,
        media_courier=MediaCourier(media),
        message_courier=MessageCourier(
            database, clock=clock, deliveries=deliveries, at_once=settings.sends_at_once
        ),
        messages=messages,
        notes=NoteService(database, clock=clock),
        outbox_sweep=OutboxSweepService(database, clock=clock),
        owner_settings=OwnerSettingsService(database, clock=clock),
        password_links=links,
        password_resets=PasswordResetService(database, links=links, rate_limits=limits),
        platform_keys=PlatformKeyService(database, clock=clock),
        presence=PresenceService(database, clock=clock),
        rate_limits=limits,
        reconciliation=ReconciliationService(
            database,
            clock=clock,
            twilio=twilio,
            message_log=late.message_log(settings.twilio_api_url),
            inbound=inbound,
            statuses=delivery_statuses,
            channel_setup=channel_setup,
        ),
        reports=ReportService(database, clock=clock, explains=explain),
        second_factor=SecondFactorService(
            database, clock=clock, secrets_box=box, account=account, codes=codes
        ),
        secret_rotation=SecretRotationService(database, secrets_box=box),
        search=SearchService(database),
        sessions=SessionService(database, clock=clock, rate_limits=limits, codes=codes),
        templates=templates,
        tenants=TenantService(database, clock=clock),
        tenant_erasure=TenantErasureService(database, store=store),
        tenant_export=TenantExportService(database, clock=clock, store=store),
        tenant_import=TenantImportService(database, secrets_box=box, store=store),
        timeouts=TimeoutService(database, clock=clock),
        twilio=twilio,
        users=UserService(database, clock=clock, links=links),
        visits=VisitService(database),
        twilio_settings=TwilioSettingsService(database, clock=clock, twilio=twilio),
        quarantine=quarantine,
        webhook_courier=courier,
        webhook_deliveries=WebhookDeliveryService(database, clock=clock),
        webhook_endpoints=WebhookEndpointService(
            database, clock=clock, secrets_box=box, allowed_networks=networks
        ),
        webhooks=WebhookService(
            twilio=twilio, verifies=verify, reads_addresses=addresses, quarantine=quarantine
        ),
    )


def _event_readers(clock: Clock, courier: WebhookCourier) -> list[EventReader]:
    """Who makes something of what happened; each has a place of its own in every owner's feed."""
    return [FactReader(), SearchReader(), WebhookFanOut(clock=clock, wake=courier.wake)]


def _kept_for(settings: Settings) -> dict[ForgettingTable, timedelta]:
    return {
        ForgettingTable.EVENTS: timedelta(days=settings.events_kept_days),
        ForgettingTable.WEBHOOK_DELIVERIES: timedelta(days=settings.webhook_deliveries_kept_days),
        ForgettingTable.QUARANTINE: timedelta(days=settings.quarantine_kept_days),
    }


def _allowed_networks(settings: Settings) -> list[IPNetwork]:
    try:
        return parse_networks(settings.webhook_allowed_networks)
    except ValueError as problem:
        raise Misconfigured(
            f"OWNER_WEBHOOK_ALLOWED_NETWORKS is no list of networks such as 10.0.0.0/8,fd00::/8: {problem}.",
            field="OWNER_WEBHOOK_ALLOWED_NETWORKS",
        ) from problem


def mailer(settings: Settings) -> "SmtpMailer | None":
    """What sends e-mail, where a server is set; raises `Misconfigured`."""
    url = settings.smtp_url
    return late.mailer(url.get_secret_value()) if url else None


def rate_limits(settings: Settings) -> RateLimitService:
    """The limits of the settings; raises `Misconfigured`."""
    wanted = RateLimitSettings(
        key_per_minute=settings.rate_limit_key_per_minute,
        owner_per_minute=settings.rate_limit_owner_per_minute,
        messages_per_day=settings.rate_limit_messages_per_day,
        sign_in_per_ip=settings.rate_limit_sign_in_per_ip,
        sign_in_per_email=settings.rate_limit_sign_in_per_email,
        password_reset=settings.rate_limit_password_reset,
    )
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    return RateLimitService(wanted, redis_url=redis_url)
