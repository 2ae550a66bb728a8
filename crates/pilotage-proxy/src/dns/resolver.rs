//! Asking name servers, as `/etc/resolv.conf` and `/etc/hosts` say.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use pilotage_engine::dns::DnsFamily;

/// What a name stands for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// In the order of the answer; none when there is no such name, or no address of the family wanted.
    pub(crate) addresses: Vec<IpAddr>,
    /// How long the answer may be kept, where a record says so.
    pub(crate) time_to_live: Option<Duration>,
}

/// Answers of one kind of address.
type Records = Result<Resolved, NetError>;

/// The resolver of the system, made when it is first needed: most meshes ask for no name at all.
#[derive(Default)]
pub(super) struct Resolver {
    system: Option<TokioResolver>,
    name_servers: Vec<SocketAddr>,
}

impl Resolver {
    /// A resolver that asks these servers; without any, those of the system.
    pub(super) fn asking(name_servers: Vec<SocketAddr>) -> Self {
        Self { system: None, name_servers }
    }

    /// A handle to ask with.
    ///
    /// # Errors
    /// When the system's configuration cannot be read; the next call tries again.
    pub(super) fn system(&mut self) -> Result<TokioResolver, NetError> {
        if let Some(system) = &self.system {
            return Ok(system.clone());
        }
        let mut builder = match self.name_servers.as_slice() {
            [] => TokioResolver::builder_tokio()?,
            servers => {
                let provider = TokioRuntimeProvider::default();
                TokioResolver::builder_with_config(only(servers), provider)
            }
        };
        // Who asks decides how long an answer is kept.
        builder.options_mut().cache_size = 0;
        let system = builder.build()?;
        Ok(self.system.insert(system).clone())
    }
}

fn only(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |address: &SocketAddr| {
        let mut udp = ConnectionConfig::udp();
        udp.port = address.port();
        NameServerConfig::new(address.ip(), true, vec![udp])
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

/// The addresses of `host`.
///
/// # Errors
/// When no name server answers, or none says whether the name exists.
pub(super) async fn look_up(
    resolver: &TokioResolver,
    host: &str,
    family: DnsFamily,
) -> Result<Resolved, NetError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        let addresses = if wants(family, address) { vec![address] } else { Vec::new() };
        return Ok(Resolved { addresses, time_to_live: None });
    }
    let four = || ask(resolver, host, RecordType::A);
    let six = || ask(resolver, host, RecordType::AAAA);
    match family {
        DnsFamily::V4Only => four().await,
        DnsFamily::V6Only => six().await,
        DnsFamily::V4Preferred => preferred(four().await, six).await,
        DnsFamily::V6Preferred => preferred(six().await, four).await,
        DnsFamily::All => {
            let (four, six) = tokio::join!(four(), six());
            both(four, six)
        }
    }
}

fn wants(family: DnsFamily, address: IpAddr) -> bool {
    match family {
        DnsFamily::V4Only => address.is_ipv4(),
        DnsFamily::V6Only => address.is_ipv6(),
        DnsFamily::V4Preferred | DnsFamily::V6Preferred | DnsFamily::All => true,
    }
}

async fn ask(resolver: &TokioResolver, host: &str, kind: RecordType) -> Records {
    let answer = match resolver.lookup(host, kind).await {
        Ok(answer) => answer,
        Err(error) if error.is_no_records_found() => {
            return Ok(Resolved { addresses: Vec::new(), time_to_live: None });
        }
        Err(error) => return Err(error),
    };
    let addresses = answer.answers().iter().filter_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    Ok(Resolved {
        addresses: addresses.collect(),
        time_to_live: Some(answer.valid_until().saturating_duration_since(Instant::now())),
    })
}

/// `first`, unless it has no addresses and the others have.
async fn preferred<F: Future<Output = Records>>(
    first: Records,
    other: impl FnOnce() -> F,
) -> Records {
    match first {
        Ok(found) if !found.addresses.is_empty() => Ok(found),
        Ok(nothing) => Ok(other().await.unwrap_or(nothing)),
        Err(error) => other().await.map_err(|_also| error),
    }
}

fn both(four: Records, six: Records) -> Records {
    match (four, six) {
        (Ok(mut four), Ok(six)) => {
            four.addresses.extend(six.addresses);
            let shorter = four.time_to_live.into_iter().chain(six.time_to_live).min();
            Ok(Resolved { time_to_live: shorter, ..four })
        }
        (Ok(some), Err(_)) | (Err(_), Ok(some)) => Ok(some),
        (Err(error), Err(_also)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use hickory_resolver::TokioResolver;
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::NetError;
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::A;
    use hickory_resolver::proto::rr::{RData, Record, RecordType};
    use pilotage_engine::dns::DnsFamily;

    use super::{Records, Resolved, both, look_up, preferred};

    /// A name server that knows one IPv4 address of `known.example.`, good for 7 seconds, fails for
    /// `broken.example.`, and says that there are no other names.
    fn name_server() -> TokioResolver {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let mut answer = Message::from_vec(&buffer[..length]).unwrap().into_response();
                let query = answer.queries.first().unwrap().clone();
                match (query.name().to_utf8().as_str(), query.query_type()) {
                    ("known.example.", RecordType::A) => {
                        let data = RData::A(A::new(192, 0, 2, 7));
                        answer.add_answer(Record::from_rdata(query.name().clone(), 7, data));
                    }
                    ("known.example.", _) => {}
                    ("broken.example.", _) => {
                        answer.metadata.response_code = ResponseCode::ServFail
                    }
                    _ => answer.metadata.response_code = ResponseCode::NXDomain,
                }
                socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
            }
        });
        let mut udp = ConnectionConfig::udp();
        udp.port = port;
        let server = NameServerConfig::new("127.0.0.1".parse().unwrap(), true, vec![udp]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider);
        builder.options_mut().attempts = 1;
        builder.build().unwrap()
    }

    #[tokio::test]
    async fn what_a_name_server_says_is_told_from_its_failing() {
        let resolver = name_server();
        let known = look_up(&resolver, "known.example.", DnsFamily::V6Preferred).await.unwrap();
        assert_eq!(known.addresses, ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
        let ttl = known.time_to_live.unwrap();
        assert!(ttl <= Duration::from_secs(7) && ttl > Duration::ZERO, "{ttl:?}");
        let six = look_up(&resolver, "known.example.", DnsFamily::V6Only).await.unwrap();
        assert!(six.addresses.is_empty(), "no such address is an answer");
        let unknown = look_up(&resolver, "unknown.example.", DnsFamily::All).await.unwrap();
        assert!(unknown.addresses.is_empty(), "no such name is an answer");
        assert!(look_up(&resolver, "broken.example.", DnsFamily::V4Only).await.is_err());
        let literal = look_up(&resolver, "2001:db8::1", DnsFamily::All).await.unwrap();
        assert_eq!(literal.addresses.len(), 1);
    }

    fn found(addresses: &[&str], seconds: u64) -> Records {
        Ok(Resolved {
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            time_to_live: Some(Duration::from_secs(seconds)),
        })
    }

    fn broken() -> Records {
        Err(NetError::Timeout)
    }

    #[tokio::test]
    async fn the_other_family_stands_in() {
        let other = || async { found(&["2001:db8::1"], 9) };
        let kept = preferred(found(&["192.0.2.1"], 5), other).await.unwrap();
        assert_eq!(kept, found(&["192.0.2.1"], 5).unwrap());
        assert_eq!(preferred(found(&[], 5), other).await.unwrap(), other().await.unwrap());
        assert_eq!(preferred(broken(), other).await.unwrap(), other().await.unwrap());
        assert!(preferred(broken(), || async { broken() }).await.is_err());
        assert!(
            preferred(found(&[], 5), || async { broken() }).await.unwrap().addresses.is_empty(),
            "the name exists without such addresses: that is an answer"
        );
    }

    #[test]
    fn both_families_live_as_long_as_the_shorter() {
        let joined = both(found(&["192.0.2.1"], 5), found(&["2001:db8::1"], 3)).unwrap();
        assert_eq!(joined, found(&["192.0.2.1", "2001:db8::1"], 3).unwrap());
        assert_eq!(both(broken(), found(&["2001:db8::1"], 3)).unwrap().addresses.len(), 1);
        assert!(both(broken(), broken()).is_err());
    }
}
