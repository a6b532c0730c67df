//! How serde reads a policy. Errors say what would be right; where, says the reader that calls serde.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Bytes, Endpoint, Network, Policy, Profile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    #[serde(default)]
    profile: Profile,
    network: Option<Network>,
    read: Option<Vec<PathBuf>>,
    write: Option<Vec<PathBuf>>,
    env: Option<Vec<Variable>>,
    memory: Option<Limit<Bytes>>,
    cpu_seconds: Option<Limit<u64>>,
    processes: Option<Limit<u64>>,
    threads: Option<Limit<u64>>,
    file_size: Option<Limit<Bytes>>,
    scratch: Option<Limit<Bytes>>,
    open_files: Option<Limit<u64>>,
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PolicyVisitor)
    }
}

struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = Policy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a profile (`none`, `default` or `strict`) or a mapping that starts from one")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Policy, E> {
        text.parse().map(Policy::of).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Policy, A::Error> {
        let mapping = Mapping::deserialize(MapAccessDeserializer::new(map))?;
        mapping.policy().map_err(A::Error::custom)
    }
}

impl Mapping {
    fn policy(self) -> Result<Policy, String> {
        let mut policy = Policy::of(self.profile);
        if self.profile == Profile::None && !self.is_bare() {
            return Err(
                "profile `none` contains nothing and takes no other key: start from `default` or `strict`"
                    .into(),
            );
        }
        let limits = &mut policy.limits;
        limits.memory = said(self.memory.map(Limit::bytes), limits.memory, "memory", 16 << 20)?;
        limits.cpu_seconds = said(self.cpu_seconds.map(Limit::number), limits.cpu_seconds, "cpu_seconds", 1)?;
        limits.processes = said(self.processes.map(Limit::number), limits.processes, "processes", 0)?;
        limits.threads = said(self.threads.map(Limit::number), limits.threads, "threads", 0)?;
        limits.file_size = said(self.file_size.map(Limit::bytes), limits.file_size, "file_size", 0)?;
        limits.scratch = said(self.scratch.map(Limit::bytes), limits.scratch, "scratch", 1 << 20)?;
        limits.open_files = said(self.open_files.map(Limit::number), limits.open_files, "open_files", 16)?;
        policy.network = self.network.unwrap_or(policy.network);
        policy.read = self.read.unwrap_or_default();
        policy.write = self.write.unwrap_or_default();
        policy.env = self.env.unwrap_or_default().into_iter().map(|Variable(name)| name).collect();
        Ok(policy)
    }

    fn is_bare(&self) -> bool {
        self.network.is_none()
            && self.read.is_none()
            && self.write.is_none()
            && self.env.is_none()
            && self.memory.is_none()
            && self.cpu_seconds.is_none()
            && self.processes.is_none()
            && self.threads.is_none()
            && self.file_size.is_none()
            && self.scratch.is_none()
            && self.open_files.is_none()
    }
}

/// A limit as it was said, or the profile's; `least` is what a program can start with.
fn said(
    said: Option<Option<u64>>,
    profile: Option<u64>,
    key: &str,
    least: u64,
) -> Result<Option<u64>, String> {
    match said {
        None => Ok(profile),
        Some(Some(limit)) if limit < least => {
            Err(format!("`{key}` is {limit}: nothing runs with less than {least}"))
        }
        Some(limit) => Ok(limit),
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "default" => Ok(Self::Default),
            "strict" => Ok(Self::Strict),
            _ => Err(format!("`{text}` is no profile: write `none`, `default` or `strict`")),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Default => "default",
            Self::Strict => "strict",
        })
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The name of a variable, not its value.
struct Variable(String);

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // The text may be a secret that was meant as a value: it is not shown.
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(D::Error::custom(
                "not the name of a variable: write its name only; the value comes from the host",
            ));
        }
        Ok(Self(name))
    }
}

/// A number or `unlimited`.
struct Limit<T>(Option<T>);

impl Limit<Bytes> {
    fn bytes(self) -> Option<u64> {
        self.0.map(|Bytes(bytes)| bytes)
    }
}

impl Limit<u64> {
    fn number(self) -> Option<u64> {
        self.0
    }
}

/// What a text other than `unlimited` says.
trait FromText: Sized {
    const EXPECTED: &'static str;
    fn from_number(number: u64) -> Self;
    fn from_text(text: &str) -> Result<Self, String>;
}

impl FromText for Bytes {
    const EXPECTED: &'static str = "a number of bytes, a text as `512MiB`, or `unlimited`";

    fn from_number(number: u64) -> Self {
        Self(number)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl FromText for u64 {
    const EXPECTED: &'static str = "a whole number or `unlimited`";

    fn from_number(number: u64) -> Self {
        number
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("`{text}` is not {}", Self::EXPECTED))
    }
}

impl<'de, T: FromText> Deserialize<'de> for Limit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LimitVisitor<T>(std::marker::PhantomData<T>);

        impl<T: FromText> Visitor<'_> for LimitVisitor<T> {
            type Value = Limit<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Limit<T>, E> {
                Ok(Limit(Some(T::from_number(number))))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Limit<T>, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Limit<T>, E> {
                match text {
                    "unlimited" => Ok(Limit(None)),
                    _ => T::from_text(text).map(|value| Limit(Some(value))).map_err(E::custom),
                }
            }
        }

        deserializer.deserialize_any(LimitVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NetworkVisitor;

        impl<'de> Visitor<'de> for NetworkVisitor {
            type Value = Network;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`none`, `loopback`, `all` or a list of `host:port`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Network, E> {
                match text {
                    "none" => Ok(Network::None),
                    "loopback" => Ok(Network::Loopback),
                    "all" => Ok(Network::All),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Network, A::Error> {
                let mut endpoints = Vec::new();
                while let Some(endpoint) = seq.next_element()? {
                    endpoints.push(endpoint);
                }
                Ok(Network::Hosts(endpoints))
            }
        }

        deserializer.deserialize_any(NetworkVisitor)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
