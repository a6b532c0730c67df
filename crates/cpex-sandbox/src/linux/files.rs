//! Which files a child may open: Landlock.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use crate::{Basis, Network, Policy, Refusal};

/// The newest rules that this crate was tested with; older kernels give what they have.
const TESTED: ABI = ABI::V7;

/// What programs read of a system: the loader, libraries, certificates (not keys, which root could read), time zones, names of
/// users and services.
const SYSTEM: [&str; 38] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/mime.types",
    "/etc/passwd",
    "/etc/group",
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/sys/devices/system/cpu",
];

/// Devices that take anything and keep nothing.
const SINKS: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/full"];

/// Where a machine keeps its name servers; only of use with the whole network.
const RESOLVER: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve"];

/// The paths of a policy, opened once, so that a mistake is told before a program starts.
pub(super) struct Paths {
    readable: Vec<PathFd>,
    writable: Vec<PathFd>,
    /// The writable ones again, by name.
    pub(super) written: Vec<PathBuf>,
    /// The child's own folder: one of these, unless it is in memory.
    pub(super) home: PathBuf,
}

impl Paths {
    pub(super) fn open(policy: &Policy, basis: &Basis, in_memory: bool) -> Result<Self, Refusal> {
        let home = made(&basis.scratch)?;
        let mut paths = Self { readable: vec![], writable: vec![], written: vec![], home };
        for path in &basis.read {
            paths.readable.push(opened(path, || "program".into())?);
        }
        for (index, path) in policy.read.iter().enumerate() {
            paths.readable.push(opened(&basis.root.join(path), || format!("read[{index}]"))?);
        }
        if in_memory {
            // Each child has another one, and the rule is the same for all: it is of the folder that they are mounted in.
            paths.writable.push(opened(&basis.scratch, || "scratch".into())?);
        }
        let own = (!in_memory).then(|| ("scratch".to_owned(), paths.home.clone()));
        let listed = policy
            .write
            .iter()
            .enumerate()
            .map(|(index, path)| (format!("write[{index}]"), basis.root.join(path)));
        for (key, path) in own.into_iter().chain(listed) {
            paths.writable.push(opened(&path, || key.clone())?);
            let path =
                path.canonicalize().map_err(|source| Refusal::Path { key, path: path.clone(), source })?;
            paths.written.push(path);
        }
        Ok(paths)
    }

    /// The rules, as a descriptor that a child restricts itself with; `None` if the kernel has no Landlock.
    pub(super) fn rules(self, network: &Network, hosts: Option<&Path>) -> Result<Option<OwnedFd>, Refusal> {
        self.ruleset(network, hosts).map(Into::into).map_err(|error| Refusal::System(error.to_string()))
    }

    fn ruleset(self, network: &Network, hosts: Option<&Path>) -> Result<RulesetCreated, RulesetError> {
        let mut handled = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(TESTED))?
            .scope(Scope::from_all(TESTED))?;
        if *network != Network::All {
            // No rule follows: no TCP port at all. A broker connects in the host's name.
            handled = handled.handle_access(AccessNet::from_all(TESTED))?;
        }
        let reading = AccessFs::from_read(TESTED);
        let writing =
            AccessFs::from_all(TESTED) & !(AccessFs::MakeBlock | AccessFs::MakeChar | AccessFs::IoctlDev);
        let resolver: &[&str] = if *network == Network::All { &RESOLVER } else { &[] };
        let mut ruleset = handled.create()?;
        for path in SYSTEM.iter().chain(resolver).map(Path::new).chain(hosts) {
            // What this machine does not have, no program reads.
            if let Ok(path) = PathFd::new(path) {
                ruleset = allow(ruleset, path, reading)?;
            }
        }
        for path in SINKS {
            if let Ok(path) = PathFd::new(path) {
                ruleset = allow(ruleset, path, AccessFs::ReadFile | AccessFs::WriteFile)?;
            }
        }
        for path in self.readable {
            ruleset = allow(ruleset, path, reading)?;
        }
        for path in self.writable {
            ruleset = allow(ruleset, path, writing)?;
        }
        Ok(ruleset)
    }
}

fn allow(
    ruleset: RulesetCreated,
    path: PathFd,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    // Rights to a folder's entries make no sense for a file, and the kernel refuses them.
    let folder =
        rustix::fs::fstat(&path).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
    let access = if folder { access } else { access & AccessFs::from_file(TESTED) };
    ruleset.add_rule(PathBeneath::new(path, access))
}

/// Makes the child's own folder. For another child it may have been made already.
fn made(scratch: &Path) -> Result<PathBuf, Refusal> {
    let at = |source| Refusal::Path { key: "scratch".into(), path: scratch.to_owned(), source };
    let home = scratch.canonicalize().map_err(at)?.join("home");
    match std::fs::create_dir(&home) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(at(error)),
        _ => Ok(home),
    }
}

fn opened(path: &Path, key: impl Fn() -> String) -> Result<PathFd, Refusal> {
    PathFd::new(path).map_err(|error| {
        let source = match error {
            PathFdError::OpenCall { source, .. } => source,
            other => io::Error::other(other),
        };
        Refusal::Path { key: key(), path: path.to_owned(), source }
    })
}

/// The version of the kernel's Landlock; 0: none.
pub(super) fn abi() -> u32 {
    // SAFETY: with this flag the call takes no attributes, and answers with a number.
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0, VERSION_FLAG)
    };
    u32::try_from(abi).unwrap_or(0)
}

/// `LANDLOCK_CREATE_RULESET_VERSION`
const VERSION_FLAG: libc::c_uint = 1;
