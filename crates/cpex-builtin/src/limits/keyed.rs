//! What is kept per key, in bounded memory.

use indexmap::IndexMap;

use super::moment::Moment;

/// State that time makes as good as new.
pub(crate) trait Fades {
    /// From when on the key might as well never have been seen.
    fn fades(&self) -> Moment;
}

/// State per key. Each new key looks at a few old ones and drops those that have faded, so that nothing ever sweeps
/// the whole map; at the bound, the one among them that fades first makes room.
#[derive(Debug)]
pub(crate) struct Keyed<V> {
    map: IndexMap<Box<[u8]>, V>,
    bound: usize,
    hand: usize,
}

/// How many old keys a new one looks at. More than one, so that the map shrinks again.
const LOOKS: usize = 4;

impl<V: Fades> Keyed<V> {
    pub(crate) fn new(bound: usize) -> Self {
        Self { map: IndexMap::new(), bound, hand: 0 }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.map.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    /// The state of a key, made if there is none.
    pub(crate) fn entry(&mut self, key: &[u8], now: Moment, make: impl FnOnce() -> V) -> &mut V {
        let index = match self.map.get_index_of(key) {
            Some(index) => index,
            None => {
                self.make_room(now);
                self.map.insert_full(key.into(), make()).0
            }
        };
        &mut self.map[index]
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.map.len()
    }

    fn make_room(&mut self, now: Moment) {
        let mut soonest: Option<(Moment, usize)> = None;
        for _ in 0..LOOKS.min(self.map.len()) {
            if self.hand >= self.map.len() {
                self.hand = 0;
            }
            let fades = self.map[self.hand].fades();
            if fades <= now {
                self.map.swap_remove_index(self.hand);
            } else {
                soonest = soonest.into_iter().chain([(fades, self.hand)]).min();
                self.hand += 1;
            }
        }
        if self.map.len() >= self.bound {
            self.map.swap_remove_index(soonest.map_or(0, |(_, index)| index));
        }
    }
}

#[cfg(test)]
mod tests;
