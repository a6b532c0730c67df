//! Linux: what a policy becomes, and how a program is started in it.

mod broker;
mod calls;
mod child;
mod clone;
mod files;
mod filter;
mod handshake;
mod kernel;
mod limits;
mod mounts;
mod names;
mod watch;

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use rustix::process::{Resource, Rlimit};
use tempfile::NamedTempFile;
use tokio::sync::watch as channel;

use self::broker::Broker;
use self::child::{Plan, Pointers};
use self::clone::{Namespaces, Stack};
use self::filter::{Filters, Wanted};
use self::handshake::{Blocked, Link, Said, high};
use self::mounts::Mounts;
use self::names::Allowed;
use crate::{Basis, Child, Network, Policy, Profile, Program, Refusal, Stream, Support};

pub(crate) use self::kernel::support;
pub(crate) use self::watch::Handle;

/// All that can be made before a program is known.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    profile: Profile,
    home: PathBuf,
    variables: Vec<String>,
    namespaces: Namespaces,
    mounts: Option<Mounts>,
    process_ids: Option<String>,
    limits: Vec<(Resource, Rlimit)>,
    rules: Option<OwnedFd>,
    filters: Option<Filters>,
    allowed: Option<Arc<Allowed>>,
    /// Mounted in each child; removed with the last of them.
    _hosts: Option<NamedTempFile>,
}

impl Sandbox {
    pub(crate) fn new(policy: &Policy, basis: &Basis) -> Result<Self, Refusal> {
        let support = Support::probe();
        let scratch = policy.limits.scratch.filter(|_| support.mount_namespace);
        let paths = files::Paths::open(policy, basis, scratch.is_some())?;
        let mut parts = Parts {
            profile: policy.profile,
            home: paths.home.clone(),
            variables: policy.env.clone(),
            namespaces: Namespaces::NONE,
            mounts: None,
            process_ids: None,
            limits: vec![],
            rules: None,
            filters: None,
            allowed: None,
            _hosts: None,
        };
        if policy.profile == Profile::None {
            return Ok(Self(Arc::new(parts)));
        }
        let system = |error: io::Error| Refusal::System(error.to_string());
        parts.namespaces = namespaces(policy, support);
        parts.allowed = Allowed::new(&policy.network).filter(|_| support.broker).map(Arc::new);
        let hosts = parts
            .allowed
            .as_ref()
            .map_or(Ok(None), |allowed| allowed.hosts_file(&basis.files))
            .map_err(system)?;
        if support.mount_namespace {
            let scratch = scratch.map(|bytes| (paths.home.as_path(), bytes));
            let hosts = hosts.as_ref().map(NamedTempFile::path);
            parts.mounts = Some(Mounts::new(&paths.written, scratch, hosts).map_err(system)?);
        }
        parts.process_ids = limits::process_ids(&policy.limits, support);
        parts.limits = limits::resources(&policy.limits, support);
        parts.rules = paths.rules(&policy.network, hosts.as_ref().map(NamedTempFile::path))?;
        if support.seccomp {
            // Without a broker, nothing is brokered: there is no connection at all.
            let network = if parts.allowed.is_none() && policy.network != Network::All {
                &Network::None
            } else {
                &policy.network
            };
            let alone = policy.limits.processes == Some(0);
            parts.filters = Some(Filters::new(Wanted {
                network,
                alone,
                counted: policy.limits.memory.is_some(),
                exposed: !support.process_namespace,
            })?);
        }
        parts._hosts = hosts;
        Ok(Self(Arc::new(parts)))
    }

    /// On a thread that lives as long as the program: the program's life is bound to that of the thread that made it.
    pub(crate) fn spawn(&self, program: Program) -> io::Result<Child> {
        let (started, start) = mpsc::sync_channel(1);
        let (ended, status) = channel::channel(None);
        let sandbox = self.clone();
        let thread = std::thread::Builder::new().name("cpex-sandbox".into()).stack_size(256 << 10).spawn(
            move || {
                let (handle, broker) = match sandbox.start(program) {
                    Ok(parts) => parts,
                    Err(error) => return drop(started.send(Err(error))),
                };
                drop(started.send(Ok(handle.clone())));
                ended.send_replace(Some(handle.watch(broker)));
            },
        )?;
        let handle = start.recv().map_err(|_| io::Error::other("the thread of the program ended"))??;
        Ok(Child { handle, status, thread: Some(thread) })
    }

    /// Makes the child and accompanies it until it is the program.
    fn start(&self, program: Program) -> io::Result<(Handle, Option<Broker>)> {
        let parts = &*self.0;
        let folder = text(program.folder.as_ref().unwrap_or(&parts.home))?;
        let path = text(&program.path)?;
        let args =
            std::iter::once(program.path.as_os_str()).chain(program.args.iter().map(OsString::as_os_str));
        let args = Pointers::new(args.map(text).collect::<Result<_, _>>()?);
        let env = Pointers::new(self.environment(&program.env)?);
        let [stdin, stdout, stderr] = program.streams;
        let streams = [open(stdin, 0)?, open(stdout, 1)?, open(stderr, 2)?];
        let plan = Plan {
            streams: streams.each_ref().map(AsRawFd::as_raw_fd),
            mounts: parts.mounts.as_ref(),
            folder: &folder,
            pid_max: parts.process_ids.as_ref().map(String::as_bytes),
            limits: &parts.limits,
            privileged: parts.profile == Profile::None,
            rules: parts.rules.as_ref().map(AsFd::as_fd),
            filters: parts.filters.as_ref(),
            program: &path,
            args: &args,
            env: &env,
        };
        let link = Link::new()?;
        let ends = link.ends();
        let child = || plan.run(ends);
        let mut stack = Stack::new();
        let blocked = Blocked::all()?;
        // SAFETY: `run` makes system calls on what the plan has, and becomes the program or exits. Everything that it refers
        // to lives until this function returns: when the program runs, or the child was waited for.
        let (pid, pidfd) = unsafe { clone::clone(parts.namespaces, &mut stack, &child) }?;
        drop(blocked);
        let handle = Handle::new(pid, pidfd, limits::cpu_time(&parts.limits));
        let accompanied = self.accompany(pid, link.parent());
        if accompanied.is_err() {
            // Without the parent's word, or after a failure, it ends by itself; nothing is left to chance.
            let _ = handle.kill();
            handle.reap();
        }
        Ok((handle, accompanied?))
    }

    fn accompany(&self, pid: rustix::process::Pid, link: handshake::Parent) -> io::Result<Option<Broker>> {
        if self.0.namespaces != Namespaces::NONE {
            clone::map_user(pid)?;
        }
        link.go()?;
        let mut broker = None;
        loop {
            match link.hear()? {
                Said::Running => return Ok(broker),
                Said::Brokered(listener) => {
                    broker = self.0.allowed.clone().map(|allowed| Broker { listener, allowed });
                }
                Said::Failed(step, error) => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", step.does())));
                }
            }
        }
    }

    fn environment(&self, own: &[(OsString, OsString)]) -> io::Result<Vec<CString>> {
        let mut variables = crate::program::environment(self.0.profile, &self.0.variables, &self.0.home);
        variables.retain(|(name, _)| own.iter().all(|(own, _)| own != name));
        variables.extend_from_slice(own);
        let join = |(name, value): (OsString, OsString)| {
            let mut both = name;
            both.push("=");
            both.push(value);
            text(both)
        };
        variables.into_iter().map(join).collect()
    }
}

/// All that the policy has a use for and the kernel gives.
fn namespaces(policy: &Policy, support: &Support) -> Namespaces {
    let wanted = [
        (Namespaces::PROCESS, support.process_namespace),
        (Namespaces::NETWORK, support.network_namespace && policy.network != Network::All),
        (Namespaces::MOUNT, support.mount_namespace),
    ];
    wanted.into_iter().filter(|(_, had)| *had).fold(Namespaces::NONE, |all, (one, _)| all.and(one))
}

fn text(text: impl AsRef<OsStr>) -> io::Result<CString> {
    Ok(CString::new(text.as_ref().as_bytes())?)
}

/// The end of a stream, under a number that no standard stream has.
fn open(stream: Stream, number: i32) -> io::Result<OwnedFd> {
    match stream {
        Stream::Null => high(std::fs::File::options().read(true).write(true).open("/dev/null")?.into()),
        Stream::Inherit => {
            let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
            Ok(rustix::io::fcntl_dupfd_cloexec(streams[number as usize], 3)?)
        }
        Stream::To(end) => high(end),
    }
}
