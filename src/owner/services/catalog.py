"""All use cases, wired: what the API and the worker are given."""

from dataclasses import dataclass

from owner.db.database import Database
from owner.models.trusted_proxies import TrustedProxies
from owner.services.access import AccessService
from owner.services.account import AccountService
from owner.services.api_keys import ApiKeyService
from owner.services.assignments import AssignmentService
from owner.services.attachments import AttachmentService
from owner.services.bulk import BulkService
from owner.services.canned_replies import CannedReplyService
from owner.services.channel_setup import ChannelSetupService
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
from owner.services.event_feed import EventFeedService
from owner.services.event_follower import EventFollower
from owner.services.event_list import EventListService
from owner.services.event_streams import EventStreamService
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
from owner.services.ports import SecretBox
from owner.services.presence import PresenceService
from owner.services.quarantine import QuarantineService
from owner.services.rate_limits import RateLimitService
from owner.services.reconciliation import ReconciliationService
from owner.services.reports import ReportService
from owner.services.search import SearchService
from owner.services.second_factor import SecondFactorService
from owner.services.secret_rotation import SecretRotationService
from owner.services.sessions import SessionService
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
from owner.services.webhooks import WebhookService


@dataclass(frozen=True, slots=True)
class Services:
    """One process's use cases over one pool of connections."""

    database: Database
    public_url: str
    trusted_proxies: TrustedProxies
    secrets_box: SecretBox
    access: AccessService
    channel_setup: ChannelSetupService
    closure_trial: ClosureTrialService
    account: AccountService
    api_keys: ApiKeyService
    assignments: AssignmentService
    attachments: AttachmentService
    bulk: BulkService
    canned_replies: CannedReplyService
    conversation_changes: ConversationChangeService
    conversation_reads: ConversationReadService
    consents: ConsentService
    contact_erasure: ContactErasureService
    contact_export: ContactExportService
    contact_merges: ContactMergeService
    contacts: ContactService
    conversation_threads: ConversationThreadService
    conversation_views: ConversationViewService
    conversations: ConversationService
    deliveries: DeliveryService
    delivery_statuses: DeliveryStatusService
    event_feed: EventFeedService
    event_follower: EventFollower
    event_list: EventListService
    event_streams: EventStreamService
    features: FeatureService
    health: HealthService
    housekeeping: HousekeepingService
    idempotency: IdempotencyService
    inbound: InboundService
    labels: LabelService
    media: MediaService
    media_courier: MediaCourier
    message_courier: MessageCourier
    messages: MessageService
    notes: NoteService
    outbox_sweep: OutboxSweepService
    owner_settings: OwnerSettingsService
    password_links: PasswordLinkService
    password_resets: PasswordResetService
    platform_keys: PlatformKeyService
    presence: PresenceService
    quarantine: QuarantineService
    rate_limits: RateLimitService
    reconciliation: ReconciliationService
    reports: ReportService
    second_factor: SecondFactorService
    secret_rotation: SecretRotationService
    search: SearchService
    sessions: SessionService
    templates: TemplateService
    tenant_erasure: TenantErasureService
    tenant_export: TenantExportService
    tenant_import: TenantImportService
    tenants: TenantService
    timeouts: TimeoutService
    twilio: TwilioService
    twilio_settings: TwilioSettingsService
    webhook_courier: WebhookCourier
    webhook_deliveries: WebhookDeliveryService
    webhook_endpoints: WebhookEndpointService
    users: UserService
    visits: VisitService
    webhooks: WebhookService
