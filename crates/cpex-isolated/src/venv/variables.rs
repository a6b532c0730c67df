//! The environment variables that a build sees: what pip, uv and compilers are set up with, not the host's secrets.

use std::ffi::{OsStr, OsString};

const NAMES: [&str; 34] = [
    "ALL_PROXY",
    "APPDATA",
    "AR",
    "CARGO_HOME",
    "CC",
    "CFLAGS",
    "COMSPEC",
    "CPPFLAGS",
    "CURL_CA_BUNDLE",
    "CXX",
    "CXXFLAGS",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LDFLAGS",
    "LOCALAPPDATA",
    "LOGNAME",
    "MACOSX_DEPLOYMENT_TARGET",
    "NETRC",
    "NO_PROXY",
    "PATH",
    "PATHEXT",
    "PKG_CONFIG_PATH",
    "REQUESTS_CA_BUNDLE",
    "RUSTUP_HOME",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USERPROFILE",
];

const PREFIXES: [&str; 5] = ["GIT_", "LC_", "PIP_", "UV_", "XDG_"];

/// They would make pip or uv install something else, or somewhere else.
const ASTRAY: [&str; 14] = [
    "PIP_DRY_RUN",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REQUIREMENT",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_VENV_CLEAR",
    "UV_VENV_SEED",
    "UV_WORKING_DIR",
];

/// The variables of a build, of those there are.
pub(super) fn of_a_build(
    there: impl Iterator<Item = (OsString, OsString)>,
    pass: &[String],
) -> Vec<(OsString, OsString)> {
    there.filter(|(name, _)| is_passed(name, pass)).collect()
}

fn is_passed(name: &OsStr, pass: &[String]) -> bool {
    let Some(name) = name.to_str() else { return false };
    if pass.iter().any(|passed| passed == name) {
        return true;
    }
    let upper = name.to_ascii_uppercase();
    let is_known = NAMES.contains(&&*upper) || PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
    is_known && !ASTRAY.contains(&&*upper)
}

/// The values that no error may show.
pub(super) fn secrets(variables: &[(OsString, OsString)], pass: &[String]) -> Vec<String> {
    const SECRET: [&str; 5] = ["CREDENTIAL", "KEY", "PASSW", "SECRET", "TOKEN"];
    variables
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
        .filter(|(name, _)| {
            let upper = name.to_ascii_uppercase();
            SECRET.iter().any(|word| upper.contains(word)) || pass.iter().any(|passed| passed == name)
        })
        .map(|(_, value)| value.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(pass: &[&str]) -> Vec<String> {
        let there =
            ["PATH", "PIP_INDEX_URL", "pip_target", "UV_OFFLINE", "https_proxy", "LC_ALL", "AWS_SECRET_KEY"];
        let there = there.map(|name| (name.into(), "value".into())).into_iter();
        let pass = pass.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        of_a_build(there, &pass).into_iter().map(|(name, _)| name.into_string().unwrap()).collect()
    }

    #[test]
    fn the_secrets_of_the_host_stay_there() {
        assert_eq!(passed(&[]), ["PATH", "PIP_INDEX_URL", "UV_OFFLINE", "https_proxy", "LC_ALL"]);
        assert_eq!(passed(&["AWS_SECRET_KEY"]).last().unwrap(), "AWS_SECRET_KEY");
    }
}
