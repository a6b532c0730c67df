//! The bodies of requests: how large, how long, and how much of them at a time.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use prost::bytes::BytesMut;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::config::Limits;

#[cfg(test)]
mod tests;

/// What memory is counted in.
const MEMORY_UNIT: usize = 1024;
/// A body gets a share of the memory for large ones when it has brought so much: who announces much and sends little
/// keeps nobody waiting.
const FIRST_STEP: usize = 64 * 1024;

/// Takes the bodies of requests.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    limits: Limits,
    /// Bytes of a body.
    size: usize,
    /// For the first step of each: as many as there may be connections.
    first: Arc<Semaphore>,
    /// For the rest: as many of the largest size as there may be calls.
    rest: Arc<Semaphore>,
}

/// The memory of a request, given back when dropped.
pub(crate) struct Share {
    _first: OwnedSemaphorePermit,
    _rest: Option<OwnedSemaphorePermit>,
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Memory,
    /// Than this.
    TooLarge(usize),
    BrokenOff,
    Late,
}

impl Intake {
    /// Takes bodies of messages that are wrapped into so many bytes.
    pub(crate) fn new(limits: Limits, wrapping: usize) -> Self {
        let size = limits.message.saturating_add(wrapping);
        let memory = |count: usize, size: usize| {
            let units = units(size).saturating_mul(count.max(1));
            Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS)))
        };
        let first = memory(limits.connections, FIRST_STEP);
        let rest = memory(limits.calls, size.saturating_sub(FIRST_STEP));
        Self { limits, size, first, rest }
    }

    /// A whole body.
    pub(crate) async fn receive(&self, mut body: Incoming) -> Result<(Bytes, Share), NotTaken> {
        let announced = body.size_hint().exact().map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let size = announced.unwrap_or(self.size);
        if size > self.size {
            return Err(NotTaken::TooLarge(self.limits.message));
        }
        let first = self.share(&self.first, size.min(FIRST_STEP)).await?;
        let mut rest = None;
        let mut arrived = Arrived::default();
        if self.in_time(arrived.take(&mut body, FIRST_STEP.min(self.size))).await? == End::More {
            rest = Some(self.share(&self.rest, size.saturating_sub(FIRST_STEP)).await?);
            if self.in_time(arrived.take(&mut body, self.size)).await? == End::More {
                return Err(NotTaken::TooLarge(self.limits.message));
            }
        }
        Ok((arrived.whole(), Share { _first: first, _rest: rest }))
    }

    async fn in_time(&self, arriving: impl Future<Output = Result<End, NotTaken>>) -> Result<End, NotTaken> {
        timeout(self.limits.transfer, arriving).await.unwrap_or(Err(NotTaken::Late))
    }

    async fn share(&self, memory: &Arc<Semaphore>, size: usize) -> Result<OwnedSemaphorePermit, NotTaken> {
        let units = u32::try_from(units(size)).unwrap_or(u32::MAX);
        match timeout(self.limits.transfer, memory.clone().acquire_many_owned(units)).await {
            Ok(Ok(share)) => Ok(share),
            _ => Err(NotTaken::Memory),
        }
    }
}

/// Is there more of a body than was asked for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Reached,
    More,
}

/// What has arrived of a body: one piece as it came, several as one copy, however small they are.
#[derive(Default)]
struct Arrived {
    first: Bytes,
    all: BytesMut,
}

impl Arrived {
    /// Takes what comes until there is more than `size`.
    async fn take(
        &mut self,
        body: &mut (impl Body<Data = Bytes> + Unpin),
        size: usize,
    ) -> Result<End, NotTaken> {
        while self.size() <= size {
            let Some(frame) = body.frame().await else { return Ok(End::Reached) };
            let Ok(piece) = frame.map_err(|_| NotTaken::BrokenOff)?.into_data() else { continue };
            if self.size() == 0 {
                self.first = piece;
            } else {
                self.all.extend_from_slice(&std::mem::take(&mut self.first));
                self.all.extend_from_slice(&piece);
            }
        }
        Ok(End::More)
    }

    fn size(&self) -> usize {
        self.first.len() + self.all.len()
    }

    fn whole(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

fn units(size: usize) -> usize {
    size.div_ceil(MEMORY_UNIT)
}
