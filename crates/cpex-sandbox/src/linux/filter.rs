//! Which system calls a child may make: seccomp.
//!
//! Two programs, and a third where connections are brokered. The kernel takes the strictest of their answers.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use rustix::io::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::calls::ALLOWED;
use super::child::last;
use super::handshake::ChildEnd;
use crate::{Network, Refusal};

/// What one child is to be kept from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) network: &'a Network,
    /// No process but itself.
    pub(super) alone: bool,
    /// Memory is limited by its mappings: none may be of a kind that is not counted.
    pub(super) counted: bool,
    /// It can name other processes, for it has no namespace of its own for them.
    pub(super) exposed: bool,
}

/// The compiled programs, in the order in which they are installed.
#[derive(Debug)]
pub(super) struct Filters {
    /// Calls that the host carries out; `None` if nothing is brokered.
    pub(super) brokered: Option<BpfProgram>,
    /// Calls that are allowed but for some arguments.
    pub(super) arguments: BpfProgram,
    /// All the calls that are allowed. The last: it does not allow to install another.
    pub(super) calls: BpfProgram,
}

/// Whether there are programs for this processor.
pub(super) fn compiles() -> bool {
    TargetArch::try_from(std::env::consts::ARCH).is_ok()
}

impl Filters {
    pub(super) fn new(wanted: Wanted<'_>) -> Result<Self, Refusal> {
        let compiled = || {
            let arch = TargetArch::try_from(std::env::consts::ARCH)?;
            let brokered = matches!(wanted.network, Network::Loopback | Network::Hosts(_));
            Ok::<_, seccompiler::BackendError>(Self {
                brokered: brokered.then(|| notifying(arch)).transpose()?,
                arguments: refusing(wanted, arch)?,
                calls: allowing(arch)?,
            })
        };
        compiled().map_err(|error| Refusal::System(format!("seccomp: {error}")))
    }
}

impl Filters {
    /// From here on this process keeps to them. Async-signal-safe.
    pub(super) fn install(&self, parent: ChildEnd) -> Result<(), Errno> {
        if let Some(brokered) = &self.brokered {
            let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
            parent.broker(install(brokered, flags)?)?;
        }
        install(&self.arguments, 0)?;
        install(&self.calls, 0)?;
        Ok(())
    }
}

/// The descriptor of the listener, if flags ask for one.
fn install(program: &BpfProgram, flags: libc::c_ulong) -> Result<RawFd, Errno> {
    let program = libc::sock_fprog {
        // The crate compiles no more than 4,096 statements.
        len: u16::try_from(program.len()).map_err(|_| Errno::TOOBIG)?,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the statements are laid out as the kernel's, and it only reads them.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    RawFd::try_from(result).ok().filter(|&result| result >= 0).ok_or_else(last)
}

/// What is not listed does not exist: libraries know what to do about a call that an older kernel lacks.
fn allowing(arch: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    let rules = ALLOWED.iter().map(|&call| (call, vec![])).collect();
    SeccompFilter::new(rules, errno(libc::ENOSYS), SeccompAction::Allow, arch)?.try_into()
}

/// `socket` and `connect` wait for the host's answer.
fn notifying(arch: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    // The crate has no name for this answer: another stands for it, and is replaced in what was compiled.
    let stand_in = SeccompAction::Trace(u32::from(u16::MAX));
    let rules = BTreeMap::from([(libc::SYS_socket, vec![]), (libc::SYS_connect, vec![])]);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, stand_in.clone(), arch)?;
    let mut program: BpfProgram = filter.try_into()?;
    let answer = u32::from(stand_in);
    for statement in &mut program {
        if statement.code == RETURN && statement.k == answer {
            statement.k = libc::SECCOMP_RET_USER_NOTIF;
        }
    }
    Ok(program)
}

/// Refuses allowed calls, some always and others with certain arguments.
fn refusing(wanted: Wanted<'_>, arch: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in refused_calls(wanted) {
        rules.insert(call, vec![]);
    }
    for (call, conditions) in refused_arguments(wanted) {
        rules
            .entry(call)
            .or_default()
            .push(SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)?);
    }
    SeccompFilter::new(rules, SeccompAction::Allow, errno(libc::EPERM), arch)?.try_into()
}

/// Calls that are refused whatever their arguments; none of them is also in [`refused_arguments`].
fn refused_calls(wanted: Wanted<'_>) -> Vec<i64> {
    let mut calls = Vec::new();
    #[cfg(target_arch = "x86_64")]
    if wanted.alone {
        calls.extend([libc::SYS_fork, libc::SYS_vfork]);
    }
    if *wanted.network != Network::All {
        calls.extend([libc::SYS_bind, libc::SYS_listen]);
    }
    if *wanted.network == Network::None {
        calls.extend([libc::SYS_socket, libc::SYS_connect]);
    }
    calls
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

/// Calls that are refused if all conditions of one of their rows are true.
fn refused_arguments(wanted: Wanted<'_>) -> Vec<(i64, Vec<Condition>)> {
    let mut rows: Vec<(i64, Vec<Condition>)> =
        NEW_NAMESPACES.map(|flag| (libc::SYS_clone, vec![has(0, flag)])).into();
    if wanted.alone {
        rows.push((libc::SYS_clone, vec![lacks(0, libc::CLONE_THREAD)]));
    }
    if wanted.counted {
        rows.push((libc::SYS_mmap, vec![has(3, libc::MAP_SHARED | libc::MAP_ANONYMOUS)]));
        rows.push((libc::SYS_mmap, vec![has(3, libc::MAP_GROWSDOWN)]));
    }
    if wanted.exposed {
        rows.extend(OTHERS.map(|(call, argument)| (call, vec![is_not(argument, 0)])));
    }
    for &(call, mode, flags) in MODES {
        for special in [libc::S_ISUID, libc::S_ISGID] {
            let special = || has(mode, special.cast_signed());
            match flags {
                // Of other calls nobody looks at the mode, and it may be anything.
                Some(flags) => rows.extend(MAKING.map(|flag| (call, vec![special(), has(flags, flag)]))),
                None => rows.push((call, vec![special()])),
            }
        }
    }
    // Its life stays bound to the host's.
    rows.push((libc::SYS_prctl, vec![is(0, libc::PR_SET_PDEATHSIG)]));
    // What is pushed into a terminal is input for whoever reads next.
    rows.push((libc::SYS_ioctl, vec![is(1, TIOCSTI)]));
    rows.push((libc::SYS_ioctl, vec![is(1, TIOCLINUX)]));
    // A pair is connected to itself for good, unless it sends datagrams.
    rows.push((libc::SYS_socketpair, vec![is_not(0, libc::AF_UNIX)]));
    rows.push((libc::SYS_socketpair, vec![masked(1, SOCKET_TYPE, libc::SOCK_DGRAM)]));
    match wanted.network {
        Network::All => {
            let families = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
            rows.push((libc::SYS_socket, families.map(|family| is_not(0, family)).into()));
            // Of netlink only what resolvers ask: the addresses of the machine.
            rows.push((libc::SYS_socket, vec![is(0, libc::AF_NETLINK), is_not(2, libc::NETLINK_ROUTE)]));
        }
        Network::Loopback | Network::Hosts(_) => {
            rows.push((libc::SYS_socket, vec![is_not(0, libc::AF_INET), is_not(0, libc::AF_INET6)]));
        }
        Network::None => {}
    }
    if *wanted.network != Network::All {
        // Sockets are of the host's network, and would tell about it.
        let (first, last) = INTERFACES;
        rows.push((libc::SYS_ioctl, vec![compare(1, Op::Ge, first), compare(1, Op::Le, last)]));
        // An interface or a route of its own would lead a connection, or its first packet, elsewhere.
        rows.push((libc::SYS_setsockopt, vec![is(1, libc::SOL_SOCKET), is(2, libc::SO_BINDTODEVICE)]));
        rows.push((libc::SYS_setsockopt, vec![is(1, libc::SOL_SOCKET), is(2, libc::SO_BINDTOIFINDEX)]));
        for (level, harmless) in HARMLESS {
            let others = harmless.iter().map(|&option| is_not(2, option));
            rows.push((libc::SYS_setsockopt, std::iter::once(is(1, level)).chain(others).collect()));
        }
        // Nothing is sent to an address but over a connection.
        let addressed = SeccompCondition::new(4, Width::Qword, Op::Ne, 0);
        rows.push((libc::SYS_sendto, vec![addressed]));
        rows.push((libc::SYS_sendmsg, vec![has(2, libc::MSG_FASTOPEN)]));
        rows.push((libc::SYS_sendmmsg, vec![has(3, libc::MSG_FASTOPEN)]));
    }
    rows
}

/// `CLONE_NEWTIME` is only known to `unshare` and `clone3`, which are not allowed at all.
const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Calls that give a file a mode, the argument that it is and, if they also open files, that of the flags. A set-user-ID
/// program that a child leaves behind would be run with the rights of the host's user, outside of any sandbox.
const MODES: &[(libc::c_long, u8, Option<u8>)] = &[
    (libc::SYS_fchmod, 1, None),
    (libc::SYS_fchmodat, 2, None),
    (libc::SYS_mknodat, 2, None),
    (libc::SYS_openat, 3, Some(2)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_fchmodat2, 2, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, 1, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, 1, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 2, Some(1)),
];

/// Flags of an opened file that is made: with a name, or without one, which `O_TMPFILE` is beside `O_DIRECTORY`.
const MAKING: [libc::c_int; 2] = [libc::O_CREAT, libc::O_TMPFILE & !libc::O_DIRECTORY];

/// The only options of IP that a child may set, by level: how its packets are treated, not where they go.
const HARMLESS: [(libc::c_int, &[libc::c_int]); 2] = [
    (libc::IPPROTO_IP, &[libc::IP_TOS, libc::IP_TTL, libc::IP_MTU_DISCOVER, libc::IP_BIND_ADDRESS_NO_PORT]),
    (
        libc::IPPROTO_IPV6,
        &[libc::IPV6_V6ONLY, libc::IPV6_TCLASS, libc::IPV6_UNICAST_HOPS, libc::IPV6_MTU_DISCOVER],
    ),
];

/// `BPF_RET | BPF_K`
const RETURN: u16 = 0x06;

/// Calls that change limits and priorities of processes, also of others of the same user, and the argument that must be 0 for
/// the caller itself.
const OTHERS: [(i64, u8); 9] = [
    (libc::SYS_prlimit64, 0),
    (libc::SYS_setpriority, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_setpgid, 0),
];

/// The bits of a socket's type that are not flags.
const SOCKET_TYPE: libc::c_int = 0xf;

// Requests are as wide as the kernel compares them; libc's are signed on some systems.
const TIOCSTI: libc::c_int = 0x5412;
const TIOCLINUX: libc::c_int = 0x541c;

/// Requests about routes, interfaces and their addresses.
const INTERFACES: (libc::c_int, libc::c_int) = (0x890b, 0x89ff);

fn errno(number: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

fn is(argument: u8, value: libc::c_int) -> Condition {
    compare(argument, Op::Eq, value)
}

fn is_not(argument: u8, value: libc::c_int) -> Condition {
    compare(argument, Op::Ne, value)
}

fn has(argument: u8, bits: libc::c_int) -> Condition {
    masked(argument, bits, bits)
}

fn lacks(argument: u8, bits: libc::c_int) -> Condition {
    masked(argument, bits, 0)
}

fn masked(argument: u8, mask: libc::c_int, value: libc::c_int) -> Condition {
    compare(argument, Op::MaskedEq(u64::from(mask.cast_unsigned())), value)
}

/// The kernel takes these arguments as 32 bits, so what stands above them is not looked at.
fn compare(argument: u8, operator: Op, value: libc::c_int) -> Condition {
    SeccompCondition::new(argument, Width::Dword, operator, u64::from(value.cast_unsigned()))
}
