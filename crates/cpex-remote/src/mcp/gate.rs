//! What comes in over HTTP: who may ask, where to, how much, and in which session.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use hyper::http::response::Parts;
use hyper::http::{Method, Request, Response, StatusCode};
use tower_service::Service;

use super::desk::Desk;
use super::jsonrpc::{Fault, Message, VERSIONS, version};
use super::pending::Pending;
use super::sessions::{Book, Unopened};
use crate::backend::{Backend, Event, Refusal};
use crate::http::{BoxBody, Denied, Guard, Intake, NotTaken, Share, keep};

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const JSON: &str = "application/json";
pub(super) const EVENTS: &str = "text/event-stream";
const PLAIN: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The server, as HTTP sees it.
pub(super) struct Gate<B>(Arc<House<B>>);

impl<B> Clone for Gate<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// All that requests have in common.
pub(super) struct House<B> {
    pub(super) desk: Desk<B>,
    pub(super) guard: Guard,
    pub(super) path: String,
    pub(super) sessions: Option<Book>,
    pub(super) intake: Intake,
    pub(super) stopping: AtomicBool,
}

/// A request is not answered by a plugin.
struct Turned {
    status: StatusCode,
    body: String,
    kind: &'static str,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Turned {
    fn new(status: StatusCode, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), kind: PLAIN, header: None }
    }

    fn fault(status: StatusCode, fault: &Fault) -> Self {
        Self { kind: JSON, ..Self::new(status, fault.message(None)) }
    }

    fn invalid(status: StatusCode, message: impl Into<String>) -> Self {
        Self::fault(status, &Fault::new(Fault::INVALID_REQUEST, message))
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

impl From<Denied> for Turned {
    fn from(denied: Denied) -> Self {
        let turned = Self::new(denied.status(), denied.message());
        match denied {
            Denied::Token => turned.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Denied::Host | Denied::Origin | Denied::Client => turned,
        }
    }
}

impl From<Turned> for Response<BoxBody> {
    fn from(turned: Turned) -> Self {
        let mut response = respond(turned.status, turned.kind, turned.body);
        response.headers_mut().extend(turned.header);
        response
    }
}

impl<B: Backend> Gate<B> {
    pub(super) fn new(house: Arc<House<B>>) -> Self {
        Self(house)
    }
}

impl<B: Backend> Service<Request<Incoming>> for Gate<B> {
    type Response = Response<BoxBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let house = self.0.clone();
        Box::pin(async move { Ok(house.answer(request).await.unwrap_or_else(Into::into)) })
    }
}

impl<B: Backend> House<B> {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<BoxBody>, Turned> {
        self.guard.check_host(request.uri(), request.headers())?;
        self.guard.check_origin(request.headers())?;
        let path = request.uri().path();
        if path == self.path {
            self.guard.check_peer(request.headers(), request.extensions())?;
            return match *request.method() {
                Method::POST => self.post(request).await,
                Method::DELETE => self.delete(request.headers()),
                _ => Err(Turned::invalid(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
                    .with(ALLOW, HeaderValue::from_static("POST, DELETE"))),
            };
        }
        match (request.method(), path) {
            (&Method::GET, "/health") if self.desk.backend.is_alive() => {
                Ok(respond(StatusCode::OK, JSON, r#"{"status":"healthy"}"#))
            }
            (&Method::GET, "/health") => {
                Err(Turned { kind: JSON, ..unavailable(r#"{"status":"unhealthy"}"#) })
            }
            (&Method::GET, "/ready") if self.is_ready() => {
                Ok(respond(StatusCode::OK, JSON, r#"{"status":"ready"}"#))
            }
            (&Method::GET, "/ready") => {
                Err(Turned { kind: JSON, ..unavailable(r#"{"status":"not ready"}"#) })
            }
            (&Method::GET, "/metrics" | "/metrics/prometheus") => {
                self.guard.check_peer(request.headers(), request.extensions())?;
                let metrics = self.desk.backend.metrics();
                let off = Turned {
                    kind: JSON,
                    ..Turned::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        r#"{"error":"Metrics collection is disabled"}"#,
                    )
                };
                metrics.map(|text| respond(StatusCode::OK, PROMETHEUS, text)).ok_or(off)
            }
            // Who names the server alone, as in CPEX's own example, means its endpoint.
            _ if path == "/" || path.strip_suffix('/') == Some(&self.path) => {
                let place = HeaderValue::from_str(&self.path);
                let moved = Turned::new(StatusCode::TEMPORARY_REDIRECT, "");
                Err(place.map(|place| moved.with(LOCATION, place)).unwrap_or_else(|_| not_found()))
            }
            _ => Err(not_found()),
        }
    }

    fn is_ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed) && self.desk.backend.is_ready()
    }

    async fn post(&self, request: Request<Incoming>) -> Result<Response<BoxBody>, Turned> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(unavailable("the server is stopping"));
        }
        check_headers(request.headers())?;
        let named = match &self.sessions {
            Some(book) => self.session(book, request.headers())?,
            None => Some(Arc::default()),
        };
        let (body, memory) = self.receive(request).await?;
        let message = Message::read(&body).map_err(|fault| Turned::fault(StatusCode::BAD_REQUEST, &fault))?;
        match message {
            Message::Request { id, method, params } => {
                let (pending, session) = match (named, &self.sessions) {
                    (Some(pending), _) => (pending, None),
                    (None, Some(book)) if method == "initialize" => {
                        let session = book.open().map_err(|unopened| self.unopened(unopened))?;
                        (Arc::default(), Some(session))
                    }
                    (None, _) => return Err(session_missing()),
                };
                let (answer, turn) = self.desk.answer(&id, &method, params, &pending).await;
                let event = format!("event: message\ndata: {answer}\n\n");
                // The answer counts as well, until the peer has taken it.
                let mut response =
                    respond(StatusCode::OK, EVENTS, event).map(|body| keep(body, (memory, turn)));
                let headers = response.headers_mut();
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
                if let Some(Ok(session)) = session.map(HeaderValue::try_from) {
                    headers.insert(SESSION, session);
                }
                Ok(response)
            }
            Message::Notification { method, params } => {
                self.desk.note(&method, params, &*named.ok_or_else(session_missing)?);
                Ok(respond(StatusCode::ACCEPTED, JSON, ""))
            }
            Message::Answer { .. } | Message::Stray => Ok(respond(StatusCode::ACCEPTED, JSON, "")),
        }
    }

    /// What is under way in the session that is named; `None` if none is.
    fn session(&self, book: &Book, headers: &HeaderMap) -> Result<Option<Arc<Pending>>, Turned> {
        let Some(name) = headers.get(SESSION) else { return Ok(None) };
        let found = name.to_str().ok().and_then(|name| book.find(name));
        found.map(Some).ok_or_else(|| Turned::invalid(StatusCode::NOT_FOUND, "Session not found"))
    }

    fn unopened(&self, why: Unopened) -> Turned {
        match why {
            Unopened::AllBusy => {
                self.desk.backend.observe(&Event::Refused(Refusal::Sessions));
                unavailable("all sessions have requests under way")
            }
            Unopened::NoRandomness => {
                Turned::new(StatusCode::INTERNAL_SERVER_ERROR, "no session can be made")
            }
        }
    }

    fn delete(&self, headers: &HeaderMap) -> Result<Response<BoxBody>, Turned> {
        let Some(book) = &self.sessions else {
            return Err(Turned::invalid(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
                .with(ALLOW, HeaderValue::from_static("POST")));
        };
        let name = headers.get(SESSION).ok_or_else(session_missing)?;
        match name.to_str().is_ok_and(|name| book.close(name)) {
            true => Ok(respond(StatusCode::OK, JSON, "")),
            false => Err(Turned::invalid(StatusCode::NOT_FOUND, "Session not found")),
        }
    }

    /// The body, and the memory it was given.
    async fn receive(&self, request: Request<Incoming>) -> Result<(Bytes, Share), Turned> {
        self.intake.receive(request.into_body()).await.map_err(|not_taken| match not_taken {
            NotTaken::Memory => {
                self.desk.backend.observe(&Event::Refused(Refusal::Memory));
                unavailable("there is no memory for the request now")
            }
            NotTaken::TooLarge(limit) => {
                self.desk.backend.observe(&Event::Refused(Refusal::Size));
                let message = format!("a request of more than {limit} bytes is not taken");
                Turned::invalid(StatusCode::PAYLOAD_TOO_LARGE, message)
            }
            NotTaken::BrokenOff => Turned::new(StatusCode::BAD_REQUEST, "the body broke off"),
            NotTaken::Late => Turned::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
        })
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Turned> {
    let sends = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !is_kind(sends, JSON) {
        return Err(Turned::new(StatusCode::BAD_REQUEST, "Invalid Content-Type header"));
    }
    let accepts = |wanted| {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut kinds = values.flat_map(|value| value.split(','));
        kinds.any(|kind| is_kind(kind, wanted) || is_kind(kind, "*/*"))
    };
    if !accepts(JSON) || !accepts(EVENTS) {
        let message = "Not Acceptable: Client must accept both application/json and text/event-stream";
        return Err(Turned::invalid(StatusCode::NOT_ACCEPTABLE, message));
    }
    match headers.get(PROTOCOL_VERSION) {
        Some(named) if named.to_str().ok().and_then(version).is_none() => {
            let known = VERSIONS.join(", ");
            let message = format!("Bad Request: Unsupported protocol version. Supported versions: {known}");
            Err(Turned::invalid(StatusCode::BAD_REQUEST, message))
        }
        _ => Ok(()),
    }
}

/// Is a value of a header this kind of content, whatever its parameters?
pub(super) fn is_kind(value: &str, kind: &str) -> bool {
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(kind)
}

fn session_missing() -> Turned {
    Turned::invalid(StatusCode::BAD_REQUEST, "Bad Request: Missing session ID")
}

fn not_found() -> Turned {
    Turned::new(StatusCode::NOT_FOUND, "Not Found")
}

/// Nothing was done: another server, or this one later, may be asked.
fn unavailable(body: &str) -> Turned {
    Turned::new(StatusCode::SERVICE_UNAVAILABLE, body).with(RETRY_AFTER, HeaderValue::from_static("1"))
}

fn respond(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<BoxBody> {
    let (mut parts, ()): (Parts, ()) = Response::new(()).into_parts();
    parts.status = status;
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Response::from_parts(parts, keep(Full::new(body.into()), ()))
}
