//! A route configuration: virtual hosts by domain.

use std::sync::Arc;

use crate::virtual_host::VirtualHost;

/// A compiled route configuration.
#[derive(Debug)]
pub struct RouteTable {
    /// Name of the route configuration.
    pub name: Arc<str>,
    pub(crate) domains: crate::domains::Domains,
    pub(crate) virtual_hosts: Vec<Arc<VirtualHost>>,
    pub(crate) ignore_port: bool,
    pub(crate) ignore_path_parameters: bool,
}

impl RouteTable {
    /// Virtual hosts in the order of configuration.
    pub fn virtual_hosts(&self) -> impl Iterator<Item = &Arc<VirtualHost>> {
        self.virtual_hosts.iter()
    }
}
