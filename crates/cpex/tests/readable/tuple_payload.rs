use cpex::Payload;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, Payload)]
struct Pair(String, String);

fn main() {}
