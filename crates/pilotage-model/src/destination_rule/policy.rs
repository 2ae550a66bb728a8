//! The traffic policy that holds for one port of a host or subset.

use pilotage_config::destination_rule::{
    ClientTlsSettings, ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection,
    PortTrafficPolicy, ProxyProtocol, RetryBudget, TrafficPolicy, TunnelSettings,
};
use pilotage_config::mesh::DefaultTrafficPolicy;

/// The settings that hold for one port. What is absent is as the mesh or the proxy has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// How endpoints are chosen.
    pub load_balancer: Option<LoadBalancerSettings>,
    /// Limits on connections and requests.
    pub connection_pool: Option<ConnectionPoolSettings>,
    /// When endpoints are taken out for failing.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS towards the host.
    pub tls: Option<ClientTlsSettings>,
    /// Carries connections inside of HTTP requests.
    pub tunnel: Option<TunnelSettings>,
    /// Tells the host the client's address.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// How many retries may be under way.
    pub retry_budget: Option<RetryBudget>,
}

impl Policy {
    /// The policy of a rule for `port`, laid over the mesh's defaults, and the subset's laid over both.
    #[must_use]
    pub fn effective(
        defaults: Option<&DefaultTrafficPolicy>,
        rule: Option<&TrafficPolicy>,
        subset: Option<&TrafficPolicy>,
        port: u16,
    ) -> Self {
        let mut policy = rule.map(|rule| Self::of_port(rule, port)).unwrap_or_default();
        policy.fill(defaults);
        if let Some(subset) = subset {
            policy.lay_over(subset, port);
        }
        policy
    }

    /// The policy of a rule for `port`: an entry for the port replaces everything.
    #[must_use]
    pub fn of_port(rule: &TrafficPolicy, port: u16) -> Self {
        if let Some(entry) = entry_for(rule, port) {
            return Self {
                load_balancer: entry.load_balancer.clone(),
                connection_pool: entry.connection_pool.clone(),
                outlier_detection: entry.outlier_detection.clone(),
                tls: entry.tls.clone(),
                ..Self::default()
            };
        }
        Self {
            load_balancer: rule.load_balancer.clone(),
            connection_pool: rule.connection_pool.clone(),
            outlier_detection: rule.outlier_detection.clone(),
            tls: rule.tls.clone(),
            tunnel: rule.tunnel.clone(),
            proxy_protocol: rule.proxy_protocol.clone(),
            retry_budget: rule.retry_budget.clone(),
        }
    }

    /// A subset's policy replaces the blocks it has; its entry for the port replaces the four blocks of entries even
    /// where it leaves them out.
    fn lay_over(&mut self, subset: &TrafficPolicy, port: u16) {
        fn replace<T: Clone>(place: &mut Option<T>, with: Option<&T>) {
            if with.is_some() {
                *place = with.cloned();
            }
        }
        if let Some(entry) = entry_for(subset, port) {
            self.load_balancer.clone_from(&entry.load_balancer);
            self.connection_pool.clone_from(&entry.connection_pool);
            self.outlier_detection.clone_from(&entry.outlier_detection);
            self.tls.clone_from(&entry.tls);
        } else {
            replace(&mut self.load_balancer, subset.load_balancer.as_ref());
            replace(&mut self.connection_pool, subset.connection_pool.as_ref());
            replace(&mut self.outlier_detection, subset.outlier_detection.as_ref());
            replace(&mut self.tls, subset.tls.as_ref());
            replace(&mut self.tunnel, subset.tunnel.as_ref());
            replace(&mut self.proxy_protocol, subset.proxy_protocol.as_ref());
            replace(&mut self.retry_budget, subset.retry_budget.as_ref());
        }
    }

    /// Fills the blocks that the mesh has defaults for.
    fn fill(&mut self, defaults: Option<&DefaultTrafficPolicy>) {
        let Some(defaults) = defaults else { return };
        if self.connection_pool.is_none() {
            self.connection_pool.clone_from(&defaults.connection_pool);
        }
        if self.outlier_detection.is_none() {
            self.outlier_detection.clone_from(&defaults.outlier_detection);
        }
    }
}

/// The first entry for `port`.
fn entry_for(policy: &TrafficPolicy, port: u16) -> Option<&PortTrafficPolicy> {
    policy
        .port_level_settings
        .iter()
        .find(|entry| entry.port.as_ref().is_some_and(|wanted| wanted.number == u32::from(port)))
}

#[cfg(test)]
mod tests {
    use pilotage_config::destination_rule::{LoadBalancerSettings, SimpleLb, TcpSettings};
    use pilotage_config::virtual_service::PortSelector;

    use super::*;

    fn balancer(simple: SimpleLb) -> Option<LoadBalancerSettings> {
        Some(LoadBalancerSettings { simple: Some(simple), ..Default::default() })
    }

    fn pool(max_connections: i32) -> Option<ConnectionPoolSettings> {
        let tcp = Some(TcpSettings { max_connections, ..Default::default() });
        Some(ConnectionPoolSettings { tcp, http: None })
    }

    fn entry(port: u32, load_balancer: Option<LoadBalancerSettings>) -> PortTrafficPolicy {
        let port = Some(PortSelector { number: port });
        PortTrafficPolicy { port, load_balancer, ..Default::default() }
    }

    #[test]
    fn an_entry_for_the_port_replaces_everything() {
        let rule = TrafficPolicy {
            connection_pool: pool(3),
            retry_budget: Some(RetryBudget::default()),
            port_level_settings: vec![entry(80, balancer(SimpleLb::Random)), entry(80, None)],
            ..Default::default()
        };
        let at_port = Policy::effective(None, Some(&rule), None, 80);
        assert_eq!(at_port.load_balancer, balancer(SimpleLb::Random));
        assert_eq!((at_port.connection_pool, at_port.retry_budget), (None, None));
        assert_eq!(Policy::effective(None, Some(&rule), None, 81).connection_pool, pool(3));
    }

    #[test]
    fn a_subset_replaces_block_by_block_and_its_port_entry_also_with_nothing() {
        let rule = TrafficPolicy {
            connection_pool: pool(3),
            load_balancer: balancer(SimpleLb::Random),
            retry_budget: Some(RetryBudget::default()),
            ..Default::default()
        };
        let subset = TrafficPolicy {
            connection_pool: pool(5),
            port_level_settings: vec![entry(90, None)],
            ..Default::default()
        };
        let plain = Policy::effective(None, Some(&rule), Some(&subset), 80);
        assert_eq!(plain.connection_pool, pool(5));
        assert_eq!(plain.load_balancer, balancer(SimpleLb::Random));
        let at_port = Policy::effective(None, Some(&rule), Some(&subset), 90);
        assert_eq!((at_port.connection_pool, at_port.load_balancer), (None, None));
        assert!(at_port.retry_budget.is_some());
    }
}
