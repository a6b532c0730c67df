//! A server over HTTP, as a client sees it: a session, and requests in it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::http::uri::{Authority, Scheme};
use hyper::http::{Method, Request, Response, StatusCode, Uri};
use tokio::time::{Instant, timeout};

use super::CLIENT_PROTOCOLS;
use super::client::{Failed, INITIALIZE, greeted};
use super::config::Http;
use super::events::Events;
use super::gate::{EVENTS, JSON, PROTOCOL_VERSION, SESSION, is_kind};
use super::jsonrpc::{Id, Message, cancellation, notification, request};
use super::place::Place;
use super::pool::{Broken, Busy, Pool, plain};
use super::question::Question;
use super::text::Greeting;
use crate::error::{RemoteError, shown};
use crate::http::Connector;
use crate::tls::Trust;
use crate::wire::Features;

/// For the server to take note that nobody waits any more.
const FAREWELL: Duration = Duration::from_secs(5);
/// For the same over a connection that was kept, before it and all others are taken for dead.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);
/// For a server to end its answer after the message.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often a request is sent on to another path.
const REDIRECTS: usize = 3;
/// Bytes of an error page that are read.
const PAGE: usize = 16 * 1024;

/// A server over HTTP.
#[derive(Debug)]
pub(super) struct Link {
    pool: Arc<Pool>,
    authority: Authority,
    scheme: Scheme,
    path: Mutex<String>,
    authorization: Option<HeaderValue>,
    limit: usize,
    next: AtomicU64,
    session: Mutex<Option<Arc<Session>>>,
    opening: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Session {
    name: Option<HeaderValue>,
    server: Greeting,
}

/// Tells the server, when dropped, that nobody waits for the answer any more.
struct Waiting {
    link: Arc<Link>,
    session: Arc<Session>,
    id: Option<u64>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id, tokio::runtime::Handle::try_current()) else { return };
        let (link, session) = (self.link.clone(), self.session.clone());
        runtime.spawn(async move {
            let (told, since) = (link.post(Some(&session), None, cancellation(id)), Instant::now());
            if timeout(SIGN_OF_LIFE, told).await.is_err() {
                link.pool.forget(since);
                // A server that cannot be told finds out when it answers.
                let _ = timeout(FAREWELL, link.post(Some(&session), None, cancellation(id))).await;
            }
        });
    }
}

impl Link {
    pub(super) fn new(http: &Http, limit: usize) -> Result<Arc<Self>, RemoteError> {
        let Place { scheme, authority, path, target, is_secure } = Place::of(http)?;
        let authorization = http.token.as_ref().map(|token| -> Result<_, RemoteError> {
            let value = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
            let mut value = value.map_err(|_| RemoteError::Token)?;
            value.set_sensitive(true);
            Ok(value)
        });
        let tls = is_secure.then(|| http.tls.clone());
        let connector = Connector {
            target,
            address: http.address,
            addresses: http.allowed(),
            tls,
            trust: Trust::BundleAndSystem,
            protocols: CLIENT_PROTOCOLS,
            within: http.connections.connect,
        };
        Ok(Arc::new(Self {
            pool: Pool::new(connector, http.connections),
            authority,
            scheme,
            path: Mutex::new(path),
            authorization: authorization.transpose()?,
            limit,
            next: AtomicU64::new(1),
            session: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        }))
    }

    /// The bytes of the message that answers.
    pub(super) async fn ask(self: &Arc<Self>, question: Question<'_>) -> Result<Vec<u8>, Failed> {
        let session = self.session().await?;
        let params = question.params(session.server.features, self.limit)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut waiting = Waiting { link: self.clone(), session: session.clone(), id: Some(id) };
        let answered = self.post(Some(&session), Some(id), request(id, question.method(), &params)).await;
        waiting.id = None;
        if let Err(Failed::Gone) = answered {
            self.forget(&session);
        }
        answered.map(|answer| answer.message)
    }

    /// What the server of the session understands.
    pub(super) fn understood(&self) -> Features {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().map(|session| session.server.features).unwrap_or_default()
    }

    /// Ends the session.
    pub(super) async fn close(&self) {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(session) = session.filter(|session| session.name.is_some()) else { return };
        let request = self.request(Method::DELETE, Some(&session), Bytes::new());
        // A server that cannot be told forgets the session by itself.
        let _ = timeout(FAREWELL, async { Ok::<_, Failed>(self.pool.send(request?).await.map(drop)) }).await;
    }

    /// The session, begun if there is none.
    async fn session(self: &Arc<Self>) -> Result<Arc<Session>, Failed> {
        let known = || self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(session) = known() {
            return Ok(session);
        }
        let _opening = self.opening.lock().await;
        if let Some(session) = known() {
            return Ok(session);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let greeting = self.post(None, Some(id), request(id, "initialize", INITIALIZE));
        let answer = greeting.await.map_err(Failed::before_any_call)?;
        let server = greeted(&answer.message)?;
        let session = Arc::new(Session { name: answer.session, server });
        let initialized = self.post(Some(&session), None, notification("notifications/initialized"));
        initialized.await.map_err(Failed::before_any_call)?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        Ok(session)
    }

    fn forget(&self, lost: &Arc<Session>) {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.as_ref().is_some_and(|session| Arc::ptr_eq(session, lost)) {
            *session = None;
        }
    }

    fn request(
        &self,
        method: Method,
        session: Option<&Session>,
        body: impl Into<Bytes>,
    ) -> Result<Request<Full<Bytes>>, Failed> {
        let path = self.path.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.authority.as_str())
            .header(CONTENT_TYPE, JSON)
            .header(ACCEPT, "application/json, text/event-stream");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(session) = session {
            request = request.header(PROTOCOL_VERSION, session.server.version);
            if let Some(name) = &session.name {
                request = request.header(SESSION, name);
            }
        }
        let request = request.body(Full::new(body.into()));
        request.map_err(|error| Failed::Remote(RemoteError::Malformed(error.to_string())))
    }

    /// Sends a message; what answers `id`, if it asks for an answer.
    async fn post(
        &self,
        session: Option<&Session>,
        id: Option<u64>,
        message: String,
    ) -> Result<Answered, Failed> {
        let body = Bytes::from(message);
        for _ in 0..=REDIRECTS {
            let request = self.request(Method::POST, session, body.clone())?;
            let (response, busy) = self.pool.send(request).await.map_err(|broken| match broken {
                Broken::Unsent(source) => Failed::Unsent(source),
                Broken::Sent(source) => Failed::Remote(RemoteError::Disconnected(source)),
            })?;
            match response.status() {
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => self.follow(&response)?,
                StatusCode::NOT_FOUND if session.is_some_and(|session| session.name.is_some()) => {
                    return Err(Failed::Gone);
                }
                StatusCode::SERVICE_UNAVAILABLE if response.headers().contains_key(RETRY_AFTER) => {
                    return Err(Failed::Unsent(io::Error::other("the server takes no call now")));
                }
                status if status.is_success() => return self.read(response, busy, id).await,
                _ => return Err(refusal(response).await),
            }
        }
        Err(malformed("the server sends the call from one path to another"))
    }

    /// Takes the path that the server names, if it is the server's own.
    fn follow(&self, response: &Response<Incoming>) -> Result<(), Failed> {
        let place = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let place: Option<Uri> = place.and_then(|place| place.parse().ok());
        let place =
            place.ok_or_else(|| malformed("the server sends the call elsewhere without saying where"))?;
        let elsewhere = place.authority().is_some_and(|authority| *authority != self.authority)
            || place.scheme().is_some_and(|scheme| *scheme != self.scheme);
        if elsewhere {
            return Err(malformed("the server sends the call to another one, which was not configured"));
        }
        let path = place.path_and_query().map_or("/", |path| path.as_str());
        *self.path.lock().unwrap_or_else(PoisonError::into_inner) = path.to_owned();
        Ok(())
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        busy: Busy,
        id: Option<u64>,
    ) -> Result<Answered, Failed> {
        let session = response.headers().get(SESSION).cloned();
        let kind =
            response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let (is_json, is_events) = (is_kind(kind, JSON), is_kind(kind, EVENTS));
        let mut body = response.into_body();
        let Some(id) = id else {
            finish(body, busy);
            return Ok(Answered { message: Vec::new(), session });
        };
        let message = match (is_json, is_events) {
            (true, _) => self.whole(&mut body).await?,
            (_, true) => self.event(&mut body, &Id::from(id)).await?,
            _ => return Err(malformed("the answer is neither JSON nor a stream of events")),
        };
        finish(body, busy);
        Ok(Answered { message, session })
    }

    async fn whole(&self, body: &mut Incoming) -> Result<Vec<u8>, Failed> {
        let mut whole = Vec::new();
        while let Some(bytes) = next(body).await? {
            whole.extend_from_slice(&bytes);
            self.check_size(whole.len())?;
        }
        Ok(whole)
    }

    /// The message of the stream that answers; what else the server says is not asked for.
    async fn event(&self, body: &mut Incoming, id: &Id) -> Result<Vec<u8>, Failed> {
        let mut events = Events::default();
        while let Some(bytes) = next(body).await? {
            for event in events.feed(&bytes) {
                if matches!(Message::read(&event), Ok(Message::Answer { id: answered, .. }) if answered == *id)
                {
                    return Ok(event);
                }
            }
            self.check_size(events.begun())?;
        }
        Err(Failed::Remote(RemoteError::Disconnected(io::ErrorKind::UnexpectedEof.into())))
    }

    fn check_size(&self, size: usize) -> Result<(), Failed> {
        // What the message is wrapped into, and the escapes of a text in a text.
        let limit = self.limit.saturating_mul(2);
        match size > limit {
            true => Err(malformed(&format!("the answer is larger than {limit} bytes"))),
            false => Ok(()),
        }
    }
}

struct Answered {
    message: Vec<u8>,
    session: Option<HeaderValue>,
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Failed> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failed::Remote(RemoteError::Disconnected(plain(&error))))?;
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Keeps the connection for the next request, once the server has said all.
fn finish(mut body: Incoming, busy: Busy) {
    if body.is_end_stream() {
        return busy.done();
    }
    tokio::spawn(async move {
        let ended =
            timeout(LAST_WORDS, async { while matches!(next(&mut body).await, Ok(Some(_))) {} }).await;
        if ended.is_ok() {
            busy.done();
        }
    });
}

/// What an answer that is not a success says.
async fn refusal(response: Response<Incoming>) -> Failed {
    let status = response.status();
    let mut body = response.into_body();
    let mut page = Vec::new();
    while let Ok(Ok(Some(bytes))) = timeout(LAST_WORDS, next(&mut body)).await {
        page.extend_from_slice(&bytes);
        if page.len() > PAGE {
            break;
        }
    }
    let message = match serde_json::from_slice::<Refusal>(&page) {
        Ok(Refusal { error }) => error.message,
        Err(_) => String::from_utf8_lossy(&page).into_owned(),
    };
    let code = status.canonical_reason().unwrap_or("HTTP error");
    let message = format!("HTTP {}: {}", status.as_u16(), shown(&message));
    Failed::Remote(match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            RemoteError::Rejected { code, message }
        }
        _ => RemoteError::Status { code, message },
    })
}

#[derive(serde::Deserialize)]
struct Refusal {
    error: super::jsonrpc::Fault,
}

fn malformed(what: &str) -> Failed {
    Failed::Remote(RemoteError::Malformed(what.to_owned()))
}
