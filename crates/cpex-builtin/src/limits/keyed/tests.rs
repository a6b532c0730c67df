use super::*;

struct Until(u64);

impl Fades for Until {
    fn fades(&self) -> Moment {
        Moment::from_micros(self.0)
    }
}

fn keyed(bound: usize, keys: impl IntoIterator<Item = (u64, u64)>) -> Keyed<Until> {
    let mut keyed = Keyed::new(bound);
    for (now, until) in keys {
        keyed.entry(&now.to_le_bytes(), Moment::from_micros(now), || Until(until));
    }
    keyed
}

#[test]
fn never_more_keys_than_the_bound() {
    assert_eq!(keyed(100, (0..10_000).map(|key| (key, u64::MAX))).len(), 100);
}

#[test]
fn faded_keys_make_room_before_the_bound_is_reached() {
    assert!(keyed(100_000, (0..10_000).map(|key| (key, key + 10))).len() < 30);
}

#[test]
fn the_map_shrinks_again_after_a_flood() {
    let flood = (0..1000).map(|key| (key, 2000));
    assert!(keyed(100_000, flood.chain((2000..2500).map(|key| (key, key + 1)))).len() < 30);
}

#[test]
fn at_the_bound_a_key_that_lasts_outlives_keys_that_do_not() {
    let crowd = (1..1000).map(|key| (key, 10_000 + key));
    let keyed = keyed(LOOKS, [(0, u64::MAX)].into_iter().chain(crowd));
    assert!(keyed.get(&0u64.to_le_bytes()).is_some());
}
