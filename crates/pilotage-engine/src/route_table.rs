//! A route configuration: virtual hosts by domain.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use pilotage_proto::envoy::config::route::v3::RouteConfiguration as Proto;

use crate::cors::CorsPolicy;
use crate::domains::{Domains, without_port};
use crate::faults::Fault;
use crate::header_operations::{LevelOperations, operation_lists};
use crate::rejection::{FieldError, Warnings};
use crate::route::FilterConfigs;
use crate::virtual_host::VirtualHost;

/// Largest body of a direct response in bytes, when the route configuration does not say otherwise.
const DEFAULT_MAX_BODY: u32 = 4096;

/// A compiled route configuration.
#[derive(Debug)]
pub struct RouteTable {
    /// Name of the route configuration.
    pub name: Arc<str>,
    domains: Domains,
    virtual_hosts: Vec<Arc<VirtualHost>>,
    ignore_port: bool,
    ignore_path_parameters: bool,
}

/// What a route configuration hands down to its virtual hosts.
#[derive(Debug)]
pub(crate) struct TableSettings {
    /// Header operations of the route configuration.
    pub(crate) operations: LevelOperations,
    /// The most specific level's operations come last, and so win.
    pub(crate) most_specific_wins: bool,
    pub(crate) fault: Option<Arc<Fault>>,
    pub(crate) cors: Option<Arc<CorsPolicy>>,
    /// Limit of direct response bodies in bytes.
    pub(crate) max_body: usize,
}

impl RouteTable {
    /// Compiles `proto`. Virtual hosts that are the same in `previous` are taken from there.
    pub(crate) fn compile(
        proto: &Proto,
        previous: Option<(&Proto, &Self)>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        note_unsupported(proto, warnings);
        let reusable = previous.filter(|(old, _)| same_settings(old, proto));
        let settings = match reusable.and_then(|(_, table)| table.virtual_hosts.first()) {
            Some(host) => Arc::clone(&host.settings.table),
            None => Arc::new(TableSettings::compile(proto, warnings)?),
        };
        let known: HashMap<&str, _, FixedState> = reusable
            .iter()
            .flat_map(|(old, table)| old.virtual_hosts.iter().zip(&table.virtual_hosts))
            .map(|(old, host)| (old.name.as_str(), (old, host)))
            .collect();
        let mut table = Self {
            name: proto.name.as_str().into(),
            domains: Domains::default(),
            virtual_hosts: Vec::with_capacity(proto.virtual_hosts.len()),
            ignore_port: proto.ignore_port_in_host_matching,
            ignore_path_parameters: proto.ignore_path_parameters_in_path_matching,
        };
        for (index, host) in proto.virtual_hosts.iter().enumerate() {
            let field = format!("virtual_hosts[{index}]");
            if host.domains.is_empty() {
                return Err(FieldError::new(field, "has no domains"));
            }
            for domain in &host.domains {
                table.domains.insert(domain, index).map_err(|e| e.within(&field))?;
            }
            let compiled = match known.get(host.name.as_str()) {
                Some((old, compiled)) if *old == host => Arc::clone(compiled),
                _ => Arc::new(
                    warnings
                        .within(&field, |w| VirtualHost::compile(host, &settings, w))
                        .map_err(|e| e.within(&field))?,
                ),
            };
            table.virtual_hosts.push(compiled);
        }
        Ok(table)
    }

    /// Virtual hosts in the order of configuration.
    pub fn virtual_hosts(&self) -> impl Iterator<Item = &Arc<VirtualHost>> {
        self.virtual_hosts.iter()
    }

    /// The virtual host for requests to `authority`.
    pub fn virtual_host(&self, authority: &str) -> Option<&Arc<VirtualHost>> {
        self.virtual_hosts.get(self.virtual_host_index(authority)?)
    }

    /// The number of the virtual host for requests to `authority`.
    pub fn virtual_host_index(&self, authority: &str) -> Option<usize> {
        let host = if self.ignore_port { without_port(authority) } else { authority };
        self.domains.find(host)
    }

    /// Whether the port of a request's authority counts when its virtual host is looked for.
    pub fn ignores_port(&self) -> bool {
        self.ignore_port
    }

    /// Whether a virtual host is for `host` in particular, rather than for everything.
    pub fn names(&self, host: &str) -> bool {
        self.domains.names(host)
    }

    /// Whether path parameters (`;…`) are left out when paths are compared.
    pub fn ignores_path_parameters(&self) -> bool {
        self.ignore_path_parameters
    }
}

impl TableSettings {
    fn compile(proto: &Proto, warnings: &mut Warnings) -> Result<Self, FieldError> {
        let filters = FilterConfigs::compile(&proto.typed_per_filter_config, warnings)?;
        let max_body = proto.max_direct_response_body_size_bytes.unwrap_or(DEFAULT_MAX_BODY);
        Ok(Self {
            operations: LevelOperations::compile(&operation_lists!(proto), warnings)?,
            most_specific_wins: proto.most_specific_header_mutations_wins,
            fault: filters.fault,
            cors: filters.cors,
            max_body: usize::try_from(max_body).unwrap_or(usize::MAX),
        })
    }
}

/// Whether two route configurations hand the same things down to their virtual hosts.
fn same_settings(a: &Proto, b: &Proto) -> bool {
    a.response_headers_to_add == b.response_headers_to_add
        && a.response_headers_to_remove == b.response_headers_to_remove
        && a.request_headers_to_add == b.request_headers_to_add
        && a.request_headers_to_remove == b.request_headers_to_remove
        && a.most_specific_header_mutations_wins == b.most_specific_header_mutations_wins
        && a.typed_per_filter_config == b.typed_per_filter_config
        && a.max_direct_response_body_size_bytes == b.max_direct_response_body_size_bytes
}

/// Fields that are accepted and not obeyed.
fn note_unsupported(proto: &Proto, warnings: &mut Warnings) {
    if !proto.internal_only_headers.is_empty() {
        warnings.note("internal_only_headers", "are not removed from external requests");
    }
    if proto.validate_clusters == Some(true) {
        warnings.note("validate_clusters", "clusters are looked up when a request needs them");
    }
}
