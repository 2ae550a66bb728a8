//! A virtual host: an ordered list of routes for some domains.

use std::sync::Arc;

use pilotage_proto::envoy::config::route::v3::VirtualHost as Proto;
use pilotage_proto::envoy::config::route::v3::virtual_host::TlsRequirementType;

use crate::domains;
use crate::header_operations::{LevelOperations, operation_lists};
use crate::rejection::{FieldError, Warnings};
use crate::retries::RetryPolicy;
use crate::route::{FilterConfigs, Inherited, RouteEntry, mirrors};
use crate::route_table::TableSettings;

/// One virtual host.
#[derive(Debug)]
pub struct VirtualHost {
    /// What its routes share.
    pub settings: Arc<VirtualHostSettings>,
    /// Routes, tried in order.
    pub routes: Vec<Arc<RouteEntry>>,
}

/// What all routes of a virtual host share; each route holds it, so that an answer can name its virtual host.
#[derive(Debug)]
pub struct VirtualHostSettings {
    /// Name.
    pub name: Arc<str>,
    /// Domains as configured.
    pub domains: Vec<Arc<str>>,
    /// Whether plain-text requests are redirected to https.
    pub require_tls: RequireTls,
    /// Tells the upstream which attempt it sees: `x-envoy-attempt-count`.
    pub request_attempt_count: bool,
    /// Tells the client how many attempts were made.
    pub response_attempt_count: bool,
    /// Header operations of this virtual host.
    pub(crate) operations: LevelOperations,
    /// What comes from the route configuration.
    pub(crate) table: Arc<TableSettings>,
}

/// Which requests must be TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireTls {
    /// None.
    #[default]
    None,
    /// Those of external clients.
    ExternalOnly,
    /// All.
    All,
}

impl VirtualHost {
    pub(crate) fn compile(
        proto: &Proto,
        table: &Arc<TableSettings>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        note_unsupported(proto, warnings);
        let settings = Arc::new(VirtualHostSettings {
            name: proto.name.as_str().into(),
            domains: domains::shared(&proto.domains),
            require_tls: match proto.require_tls() {
                TlsRequirementType::None => RequireTls::None,
                TlsRequirementType::ExternalOnly => RequireTls::ExternalOnly,
                TlsRequirementType::All => RequireTls::All,
            },
            request_attempt_count: proto.include_request_attempt_count,
            response_attempt_count: proto.include_attempt_count_in_response,
            operations: LevelOperations::compile(&operation_lists!(proto), warnings)?,
            table: Arc::clone(table),
        });
        let retries = proto.retry_policy.as_ref().map(|policy| {
            warnings
                .within("retry_policy", |w| RetryPolicy::compile(policy, w))
                .map(Arc::new)
                .map_err(|e| e.within("retry_policy"))
        });
        let retries = retries.transpose()?;
        let mirrors = mirrors(&proto.request_mirror_policies, &[])?;
        let filters = FilterConfigs::compile(&proto.typed_per_filter_config, warnings)?;
        let inherited = Inherited {
            settings: &settings,
            retries: retries.as_ref(),
            mirrors: &mirrors,
            fault: filters.fault.as_ref().or(table.fault.as_ref()),
            cors: filters.cors.as_ref().or(table.cors.as_ref()),
            max_body: table.max_body,
        };
        let mut routes = Vec::with_capacity(proto.routes.len());
        for (index, route) in proto.routes.iter().enumerate() {
            let field = format!("routes[{index}]");
            let compiled = warnings
                .within(&field, |w| RouteEntry::compile(route, index, &inherited, w))
                .map_err(|e| e.within(&field))?;
            routes.push(Arc::new(compiled));
        }
        Ok(Self { settings, routes })
    }
}

/// Fields that are accepted and not obeyed.
fn note_unsupported(proto: &Proto, warnings: &mut Warnings) {
    if !proto.virtual_clusters.is_empty() {
        warnings.note("virtual_clusters", "there are no statistics per virtual cluster");
    }
    if proto.hedge_policy.is_some() {
        warnings.note("hedge_policy", "requests are not hedged");
    }
}
