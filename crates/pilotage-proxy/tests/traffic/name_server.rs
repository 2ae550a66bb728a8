//! A name server that a test scripts.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA};
use hickory_resolver::proto::rr::{RData, Record, RecordType};

/// How long its answers may be kept, in seconds.
const TIME_TO_LIVE: u32 = 300;

/// A server of names that answers until the process ends.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    names: Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    /// Knows these names, and that there are no others.
    pub(crate) fn start(names: &[(&str, &[&str])]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let known: BTreeMap<String, Vec<IpAddr>> = names
            .iter()
            .map(|(name, ips)| {
                ((*name).to_owned(), ips.iter().map(|ip| ip.parse().unwrap()).collect())
            })
            .collect();
        let (names, asked) = (Arc::new(Mutex::new(known)), Arc::<Mutex<Vec<String>>>::default());
        let (theirs, log) = (Arc::clone(&names), Arc::clone(&asked));
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let mut answer = Message::from_vec(&buffer[..length]).unwrap().into_response();
                let query = answer.queries.first().unwrap().clone();
                let name = query.name().to_utf8().trim_end_matches('.').to_owned();
                log.lock().unwrap().push(format!("{name} {}", query.query_type()));
                match theirs.lock().unwrap().get(&name) {
                    Some(addresses) => {
                        for address in addresses {
                            let data = match (query.query_type(), address) {
                                (RecordType::A, IpAddr::V4(ip)) => RData::A(A(*ip)),
                                (RecordType::AAAA, IpAddr::V6(ip)) => RData::AAAA(AAAA(*ip)),
                                _ => continue,
                            };
                            let record =
                                Record::from_rdata(query.name().clone(), TIME_TO_LIVE, data);
                            answer.add_answer(record);
                        }
                    }
                    None => answer.metadata.response_code = ResponseCode::NXDomain,
                }
                socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
            }
        });
        Self { address, names, asked }
    }

    /// From now on `name` has this address.
    pub(crate) fn learn(&self, name: &str, ip: &str) {
        self.names.lock().unwrap().insert(name.to_owned(), vec![ip.parse().unwrap()]);
    }

    /// The questions so far, each a name and a type.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
