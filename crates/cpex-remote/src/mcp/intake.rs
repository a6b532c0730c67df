//! The bodies of requests: how large, how long, and how much of them at a time.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::Limits;

/// What memory is counted in.
const MEMORY_UNIT: usize = 1024;
/// A body gets a share of the memory for large ones when it has brought so much: who announces much and sends little
/// keeps nobody waiting.
const FIRST_STEP: usize = 64 * 1024;

/// Takes the bodies of requests.
#[derive(Debug)]
pub(super) struct Intake {
    /// Bytes of a body.
    limit: usize,
    /// To get memory, and again for a body to arrive.
    arrival: Duration,
    /// For the first step of each: as many as there may be connections.
    first: Semaphore,
    /// For the rest: as many of the largest size as there may be calls.
    rest: Semaphore,
}

/// The memory of a request, given back when dropped.
pub(super) struct Share<'i> {
    _first: SemaphorePermit<'i>,
    _rest: Option<SemaphorePermit<'i>>,
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    Memory,
    /// Than this.
    TooLarge(usize),
    BrokenOff,
    Late,
}

impl Intake {
    pub(super) fn new(limits: &Limits, arrival: Duration) -> Self {
        let memory = |count: usize, size: usize| {
            Semaphore::new(units(size).saturating_mul(count.max(1)).min(Semaphore::MAX_PERMITS))
        };
        let first = memory(limits.connections, FIRST_STEP);
        let rest = memory(limits.calls, limits.message.saturating_sub(FIRST_STEP));
        Self { limit: limits.message, arrival, first, rest }
    }

    /// A whole body.
    pub(super) async fn receive(&self, mut body: Incoming) -> Result<(Bytes, Share<'_>), NotTaken> {
        let announced = body.size_hint().exact().map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let size = announced.unwrap_or(self.limit);
        if size > self.limit {
            return Err(NotTaken::TooLarge(self.limit));
        }
        let first = self.share(&self.first, size.min(FIRST_STEP)).await?;
        let mut rest = None;
        let (mut pieces, mut arrived) = (Vec::new(), 0);
        let mut ends = Instant::now() + self.arrival;
        while let Some(frame) = timeout_at(ends, body.frame()).await.map_err(|_| NotTaken::Late)? {
            let Ok(piece) = frame.map_err(|_| NotTaken::BrokenOff)?.into_data() else { continue };
            arrived += piece.len();
            if arrived > self.limit {
                return Err(NotTaken::TooLarge(self.limit));
            }
            if arrived > FIRST_STEP && rest.is_none() {
                rest = Some(self.share(&self.rest, size.saturating_sub(FIRST_STEP)).await?);
                ends = Instant::now() + self.arrival;
            }
            pieces.push(piece);
        }
        let share = Share { _first: first, _rest: rest };
        match &mut *pieces {
            [whole] => Ok((std::mem::take(whole), share)),
            pieces => Ok((pieces.concat().into(), share)),
        }
    }

    async fn share<'i>(&self, memory: &'i Semaphore, size: usize) -> Result<SemaphorePermit<'i>, NotTaken> {
        let units = u32::try_from(units(size)).unwrap_or(u32::MAX);
        match timeout(self.arrival, memory.acquire_many(units)).await {
            Ok(Ok(share)) => Ok(share),
            _ => Err(NotTaken::Memory),
        }
    }
}

fn units(size: usize) -> usize {
    size.div_ceil(MEMORY_UNIT)
}
