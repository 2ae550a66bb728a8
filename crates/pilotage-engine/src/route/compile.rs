//! Compiling routes.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use pilotage_proto::Any;
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::{
    ClusterNotFoundResponseCode, ClusterSpecifier,
};
use pilotage_proto::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use pilotage_proto::envoy::config::route::v3::weighted_cluster::cluster_weight::HostRewriteSpecifier;
use pilotage_proto::envoy::config::route::v3::{
    FilterConfig, Route as Proto, RouteAction as ActionProto, WeightedCluster as WeightedProto,
};

use super::{ClusterChoice, Decorator, ForwardAction, RouteAction, RouteEntry, WeightedCluster};
use crate::cors::{self, CorsPolicy};
use crate::direct_response::DirectResponse;
use crate::durations::{limit, optional};
use crate::faults::{self, Fault};
use crate::hash_policy::HashPolicy;
use crate::header_format::HeaderSource;
use crate::header_operations::{LevelOperations, operation_lists};
use crate::mirrors::Mirror;
use crate::redirect::Redirect;
use crate::rejection::{FieldError, Warnings};
use crate::retries::RetryPolicy;
use crate::rewrite::{HostRewrite, PathRewrite, checked_host};
use crate::route_match::RouteMatch;
use crate::timeouts::{DEFAULT_ROUTE_TIMEOUT, MaxStreamDuration};
use crate::virtual_host::VirtualHostSettings;
use crate::weighted_clusters::Draw;

/// What a virtual host hands down to its routes.
pub(crate) struct Inherited<'a> {
    pub(crate) settings: &'a Arc<VirtualHostSettings>,
    pub(crate) retries: Option<&'a Arc<RetryPolicy>>,
    pub(crate) mirrors: &'a [Mirror],
    pub(crate) fault: Option<&'a Arc<Fault>>,
    pub(crate) cors: Option<&'a Arc<CorsPolicy>>,
    /// Limit of direct response bodies in bytes.
    pub(crate) max_body: usize,
}

impl RouteEntry {
    pub(crate) fn compile(
        proto: &Proto,
        index: usize,
        inherited: &Inherited<'_>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let matcher = proto
            .r#match
            .as_ref()
            .ok_or_else(|| FieldError::new("match", "is required"))
            .and_then(|m| RouteMatch::compile(m).map_err(|e| e.within("match")))?;
        let decorator = proto.decorator.as_ref().map(|decorator| {
            HeaderValue::from_str(&decorator.operation)
                .map(|operation| Decorator {
                    operation,
                    propagate: decorator.propagate != Some(false),
                })
                .map_err(|_| FieldError::new("decorator.operation", "cannot be a header value"))
        });
        let filters = FilterConfigs::compile(&proto.typed_per_filter_config, warnings)?;
        Ok(Self {
            name: proto.name.as_str().into(),
            index,
            matcher,
            action: action(proto, inherited, warnings)?,
            virtual_host: Arc::clone(inherited.settings),
            metadata: proto.metadata.clone(),
            decorator: decorator.transpose()?,
            stat_prefix: proto.stat_prefix.as_str().into(),
            fault: filters.fault.or_else(|| inherited.fault.cloned()),
            cors: filters.cors.or_else(|| inherited.cors.cloned()),
            operations: LevelOperations::compile(&operation_lists!(proto), warnings)?,
        })
    }
}

/// The per-filter configuration of one level.
#[derive(Default)]
pub(crate) struct FilterConfigs {
    pub(crate) fault: Option<Arc<Fault>>,
    pub(crate) cors: Option<Arc<CorsPolicy>>,
}

impl FilterConfigs {
    pub(crate) fn compile(
        configs: &std::collections::BTreeMap<String, Any>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let mut all = Self::default();
        for (name, any) in configs {
            let field = format!("typed_per_filter_config[{name}]");
            let wrapped = pilotage_proto::unpack::<FilterConfig>(any).ok();
            let any = match &wrapped {
                Some(config) if config.disabled => {
                    warnings.note(&field, "filters cannot be switched off per route");
                    continue;
                }
                Some(FilterConfig { config: Some(inner), .. }) => inner,
                Some(_) => continue,
                None => any,
            };
            let inside = |e: FieldError| e.within(&field);
            match name.as_str() {
                faults::FILTER => {
                    let fault =
                        warnings.within(&field, |w| Fault::compile(any, w)).map_err(inside)?;
                    all.fault = Some(Arc::new(fault));
                }
                cors::FILTER => {
                    let policy =
                        warnings.within(&field, |w| CorsPolicy::compile(any, w)).map_err(inside)?;
                    all.cors = Some(Arc::new(policy));
                }
                // Telemetry of Istio, which does not change what happens to requests.
                name if name.starts_with("istio.") => {}
                _ => warnings.note(&field, "the filter is not supported"),
            }
        }
        Ok(all)
    }
}

fn action(
    proto: &Proto,
    inherited: &Inherited<'_>,
    warnings: &mut Warnings,
) -> Result<RouteAction, FieldError> {
    Ok(match &proto.action {
        Some(Action::Route(action)) => {
            let forward = warnings
                .within("route", |w| ForwardAction::compile(action, inherited, w))
                .map_err(|e| e.within("route"))?;
            RouteAction::Forward(Box::new(forward))
        }
        Some(Action::Redirect(redirect)) => RouteAction::Redirect(Box::new(
            Redirect::compile(redirect).map_err(|e| e.within("redirect"))?,
        )),
        Some(Action::DirectResponse(response)) => RouteAction::DirectResponse(
            DirectResponse::compile(response, inherited.max_body)
                .map_err(|e| e.within("direct_response"))?,
        ),
        None => return Err(FieldError::new("action", "is required")),
    })
}

impl ForwardAction {
    fn compile(
        proto: &ActionProto,
        inherited: &Inherited<'_>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        note_unsupported(proto, warnings);
        let retries = match &proto.retry_policy {
            Some(policy) => {
                let policy = warnings
                    .within("retry_policy", |w| RetryPolicy::compile(policy, w))
                    .map_err(|e| e.within("retry_policy"))?;
                Some(Arc::new(policy))
            }
            None => inherited.retries.cloned(),
        };
        let stream = proto.max_stream_duration.as_ref().map(MaxStreamDuration::compile);
        let upgrades = proto.upgrade_configs.iter();
        Ok(Self {
            clusters: ClusterChoice::compile(proto, warnings)?,
            not_found_status: match proto.cluster_not_found_response_code() {
                ClusterNotFoundResponseCode::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                ClusterNotFoundResponseCode::NotFound => StatusCode::NOT_FOUND,
                ClusterNotFoundResponseCode::InternalServerError => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
            },
            timeout: limit("timeout", proto.timeout.as_ref(), Some(DEFAULT_ROUTE_TIMEOUT))?,
            idle_timeout: optional("idle_timeout", proto.idle_timeout.as_ref())?,
            max_grpc_timeout: optional("max_grpc_timeout", proto.max_grpc_timeout.as_ref())?,
            grpc_timeout_offset: optional(
                "grpc_timeout_offset",
                proto.grpc_timeout_offset.as_ref(),
            )?
            .unwrap_or_default(),
            max_stream_duration: stream.transpose().map_err(|e| e.within("max_stream_duration"))?,
            retries,
            mirrors: mirrors(&proto.request_mirror_policies, inherited.mirrors)?,
            hash_policies: hash_policies(proto, warnings)?,
            upgrades: upgrades
                .map(|u| (u.upgrade_type.to_ascii_lowercase().into(), u.enabled != Some(false)))
                .collect(),
            append_x_forwarded_host: proto.append_x_forwarded_host,
            path_rewrite: PathRewrite::compile(
                &proto.prefix_rewrite,
                proto.regex_rewrite.as_ref(),
            )?,
            host_rewrite: HostRewrite::compile(proto)?,
        })
    }
}

/// Fields that are accepted and not obeyed.
fn note_unsupported(proto: &ActionProto, warnings: &mut Warnings) {
    if proto.metadata_match.is_some() {
        warnings.note("metadata_match", "subsets of endpoints by metadata are not supported");
    }
    if proto.priority != 0 {
        warnings.note("priority", "all requests have the default priority");
    }
    if proto.hedge_policy.is_some() {
        warnings.note("hedge_policy", "requests are not hedged");
    }
}

pub(crate) fn mirrors(
    protos: &[pilotage_proto::envoy::config::route::v3::route_action::RequestMirrorPolicy],
    inherited: &[Mirror],
) -> Result<Vec<Mirror>, FieldError> {
    if protos.is_empty() {
        return Ok(inherited.to_vec());
    }
    let compiled = protos.iter().enumerate().map(|(index, mirror)| {
        Mirror::compile(mirror).map_err(|e| e.within(format!("request_mirror_policies[{index}]")))
    });
    compiled.collect()
}

fn hash_policies(
    proto: &ActionProto,
    warnings: &mut Warnings,
) -> Result<Vec<HashPolicy>, FieldError> {
    let mut policies = Vec::with_capacity(proto.hash_policy.len());
    for (index, policy) in proto.hash_policy.iter().enumerate() {
        let field = format!("hash_policy[{index}]");
        let compiled = warnings
            .within(&field, |w| HashPolicy::compile(policy, w))
            .map_err(|e| e.within(&field))?;
        policies.extend(compiled);
    }
    Ok(policies)
}

impl ClusterChoice {
    fn compile(proto: &ActionProto, warnings: &mut Warnings) -> Result<Self, FieldError> {
        match &proto.cluster_specifier {
            Some(ClusterSpecifier::Cluster(name)) if !name.is_empty() => {
                Ok(Self::Draw(Draw::single(WeightedCluster::named(name))))
            }
            Some(ClusterSpecifier::Cluster(_)) => {
                Err(FieldError::new("cluster", "must not be empty"))
            }
            Some(ClusterSpecifier::WeightedClusters(weighted)) => {
                weighted_clusters(weighted, warnings).map_err(|e| e.within("weighted_clusters"))
            }
            Some(ClusterSpecifier::ClusterHeader(name)) => HeaderSource::new(name)
                .map(Self::Header)
                .ok_or_else(|| FieldError::new("cluster_header", "is not a header name")),
            Some(ClusterSpecifier::InlineClusterSpecifierPlugin(_)) => {
                let message = "cluster specifier plugins are not supported";
                Err(FieldError::new("inline_cluster_specifier_plugin", message))
            }
            None => Err(FieldError::new("cluster_specifier", "is required")),
        }
    }
}

fn weighted_clusters(
    proto: &WeightedProto,
    warnings: &mut Warnings,
) -> Result<ClusterChoice, FieldError> {
    if proto.random_value_specifier.is_some() {
        return Err(FieldError::new("header_name", "weights are drawn at random only"));
    }
    let mut items = Vec::with_capacity(proto.clusters.len());
    for (index, cluster) in proto.clusters.iter().enumerate() {
        let field = format!("clusters[{index}]");
        let compiled = warnings
            .within(format!("weighted_clusters.{field}"), |w| WeightedCluster::compile(cluster, w))
            .map_err(|e| e.within(&field))?;
        items.push((compiled, u64::from(cluster.weight.unwrap_or(0))));
    }
    let sum = items.iter().fold(0_u64, |sum, (_, weight)| sum.saturating_add(*weight));
    if sum > u64::from(u32::MAX) {
        return Err(FieldError::new("clusters", "the sum of weights is too large"));
    }
    Draw::new(items)
        .map(ClusterChoice::Draw)
        .ok_or_else(|| FieldError::new("clusters", "the sum of weights must be above zero"))
}

impl WeightedCluster {
    fn named(name: &str) -> Self {
        Self { name: name.into(), host_rewrite: None, operations: LevelOperations::default() }
    }

    fn compile(proto: &ClusterWeight, warnings: &mut Warnings) -> Result<Self, FieldError> {
        if proto.name.is_empty() {
            return Err(FieldError::new("name", "is required; cluster_header is not supported"));
        }
        if proto.metadata_match.is_some() {
            warnings.note("metadata_match", "subsets of endpoints by metadata are not supported");
        }
        if !proto.typed_per_filter_config.is_empty() {
            let message = "filters have no configuration per weighted cluster";
            warnings.note("typed_per_filter_config", message);
        }
        let host_rewrite = match &proto.host_rewrite_specifier {
            Some(HostRewriteSpecifier::HostRewriteLiteral(host)) if !host.is_empty() => {
                Some(checked_host(host)?.into())
            }
            Some(HostRewriteSpecifier::HostRewriteLiteral(_)) | None => None,
        };
        Ok(Self {
            name: proto.name.as_str().into(),
            host_rewrite,
            operations: LevelOperations::compile(&operation_lists!(proto), warnings)?,
        })
    }
}
