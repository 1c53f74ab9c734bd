//! From a question to an answer on the wire.

use super::DnsConfig;
use super::forward::{Forward, Found};
use super::zone::Zone;
use crate::topology::Names;
use async_trait::async_trait;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Edns, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::{DNSClass, Name, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The largest UDP answer that we give: more is likely to be lost on the way (DNS flag day 2020).
const PAYLOAD: u16 = 1232;

/// What tells one version of a file from the next: it is replaced, never written.
type Version = Option<(u64, i64, i64, u64)>;

/// Answers questions from the file of names and from the world.
pub(super) struct Handler {
    config: DnsConfig,
    forward: Forward,
    zone: Mutex<(Version, Arc<Zone>)>,
}

/// All parts of an answer.
struct Reply {
    code: ResponseCode,
    authoritative: bool,
    answers: Vec<Record>,
    authorities: Vec<Record>,
    additionals: Vec<Record>,
}

impl Handler {
    pub fn new(config: &DnsConfig) -> Self {
        let empty = Arc::new(Zone::new(Names::default(), config.address(), config.blocks.clone()));
        Self {
            config: config.clone(),
            forward: Forward::new(config.resolv_conf.clone(), config.address()),
            zone: Mutex::new((None, empty)),
        }
    }

    fn zone(&self) -> Arc<Zone> {
        let version = version(&self.config.names);
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        if zone.0 != version {
            // A file that cannot be read leaves the names as they were: it is read again at the next question.
            if let Some(names) = std::fs::read(&self.config.names).ok().and_then(|text| serde_json::from_slice::<Names>(&text).ok()) {
                *zone = (version, Arc::new(Zone::new(names, self.config.address(), self.config.blocks.clone())));
            }
        }
        Arc::clone(&zone.1)
    }

    async fn reply(&self, asked: &Name, class: DNSClass, wanted: RecordType) -> Reply {
        let mut name = asked.to_lowercase().to_ascii();
        if name.len() > 1 && name.ends_with('.') {
            name.pop();
        }
        let zone = self.zone();
        if !zone.owns(&name) {
            return Reply::of(self.forward.ask(asked.clone(), wanted).await);
        }
        if class != DNSClass::IN && class != DNSClass::ANY {
            return Reply { authorities: zone.authority(&name).into_iter().collect(), ..Reply::empty(ResponseCode::NoError) };
        }
        let found = zone.answer(&name, wanted);
        let code = if found.exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
        let mut reply = Reply { answers: found.answers, additionals: found.additionals, authoritative: true, ..Reply::empty(code) };
        if let Some(elsewhere) = found.elsewhere {
            let rest = self.forward.ask(elsewhere, wanted).await;
            reply.answers.extend(rest.answers);
            reply.code = rest.code;
        } else if reply.answers.is_empty() {
            reply.authorities.extend(zone.authority(&name));
        }
        reply
    }
}

impl Reply {
    fn empty(code: ResponseCode) -> Self {
        Self { code, authoritative: false, answers: Vec::new(), authorities: Vec::new(), additionals: Vec::new() }
    }

    fn of(found: Found) -> Self {
        Self { answers: found.answers, authorities: found.authorities, ..Self::empty(found.code) }
    }
}

fn version(path: &PathBuf) -> Version {
    std::fs::metadata(path).ok().map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.size()))
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut respond: R) -> ResponseInfo {
        let asked = request.request_info().ok().filter(|_| request.metadata.op_code == OpCode::Query);
        let reply = match (&request.edns, asked) {
            // RFC 6891 6.1.3.
            (Some(edns), _) if edns.version() > 0 => Reply::empty(ResponseCode::BADVERS),
            (_, None) if request.metadata.op_code == OpCode::Query => Reply::empty(ResponseCode::FormErr),
            (_, None) => Reply::empty(ResponseCode::NotImp),
            (_, Some(info)) => self.reply(info.query.original().name(), info.query.query_class(), info.query.query_type()).await,
        };
        let mut edns = Edns::new();
        edns.set_max_payload(request.max_payload().clamp(512, PAYLOAD)).set_version(0);
        edns.set_rcode_high(reply.code.high());
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if request.edns.is_some() {
            builder.edns(&edns);
        }
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = reply.code;
        metadata.authoritative = reply.authoritative;
        metadata.recursion_available = true;
        let message = builder.build(metadata, &reply.answers, &reply.authorities, std::iter::empty(), &reply.additionals);
        match respond.send_response(message).await {
            Ok(info) => info,
            // The client has gone; the server wants to know what was tried.
            Err(_) => ResponseInfo::from(hickory_server::proto::op::Header { metadata, counts: Default::default() }),
        }
    }
}
