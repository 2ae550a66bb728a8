//! Upgrades in HTTP/2 are CONNECT requests with `:protocol` (RFC 8441). Everywhere else here they have the form that
//! HTTP/1 gives them, and as in Envoy they change it at the edge.

use h2::ext::Protocol;
use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderValue, Method, Request, StatusCode};
use pilotage_engine::forwarded::is_upgrade;
use pilotage_engine::headers::Headers;

use crate::http::head::AnswerHead;

/// Makes a client's extended CONNECT the request of HTTP/1 that means the same. Says whether it was one.
pub(super) fn into_upgrade(parts: &mut http::request::Parts) -> bool {
    let Some(protocol) = parts.extensions.remove::<Protocol>() else { return false };
    let Ok(protocol) = HeaderValue::from_str(protocol.as_str()) else { return false };
    parts.method = Method::GET;
    parts.headers.insert(UPGRADE, protocol);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    // What the client sends belongs to the new protocol. An upstream that does not change to it must not wait for a
    // body, and take the next request on the connection for it.
    parts.headers.remove(CONTENT_LENGTH);
    true
}

/// Makes the answer to such a request that of HTTP/2.
pub(super) fn into_answer(answer: &mut AnswerHead) {
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        answer.status = StatusCode::OK;
        answer.headers.remove(CONTENT_LENGTH);
    }
    answer.headers.remove(UPGRADE);
}

/// What a request wants to change to, before [`into_connect`] makes it one of HTTP/2.
pub(crate) fn wanted(headers: &Headers) -> Option<HeaderValue> {
    headers.get(UPGRADE).filter(|_| is_upgrade(headers)).cloned()
}

/// Makes a request that wants to change to `protocol` an extended CONNECT. False when there is no such protocol.
pub(crate) fn into_connect<B>(request: &mut Request<B>, protocol: &HeaderValue) -> bool {
    let Ok(protocol) = protocol.to_str() else { return false };
    request.extensions_mut().insert(Protocol::from(protocol));
    *request.method_mut() = Method::CONNECT;
    true
}

/// Makes the answer to such a request that of HTTP/1.
pub(crate) fn into_switch(answer: &mut AnswerHead, protocol: HeaderValue) {
    if answer.status == StatusCode::OK {
        answer.status = StatusCode::SWITCHING_PROTOCOLS;
        answer.headers.insert(UPGRADE, protocol);
        answer.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

#[cfg(test)]
mod tests {
    use h2::ext::Protocol;
    use http::{Method, Request};

    use super::into_upgrade;

    #[test]
    fn an_upgrade_promises_no_body() {
        let (mut parts, ()) = Request::connect("http://a/chat")
            .extension(Protocol::from_static("websocket"))
            .header("content-length", "5")
            .body(())
            .unwrap()
            .into_parts();
        assert!(into_upgrade(&mut parts));
        assert_eq!(parts.method, Method::GET);
        assert_eq!(parts.headers.get("upgrade").unwrap(), "websocket");
        assert!(!parts.headers.contains_key("content-length"));
    }
}
