//! Keys that say themselves what they are: a fixed prefix, then so many signs of an alphabet.
//!
//! From the issuers' own documentation. A format is one line; the pattern is matched where its prefix stands.

/// A format: the kind it is reported as, the prefixes that find it, and what follows them.
pub(super) struct Format {
    pub(super) kind: &'static str,
    pub(super) prefixes: &'static [&'static str],
    pub(super) rest: &'static str,
}

const fn format(kind: &'static str, prefixes: &'static [&'static str], rest: &'static str) -> Format {
    Format { kind, prefixes, rest }
}

pub(super) const FORMATS: [Format; 43] = [
    format("age_secret_key", &["AGE-SECRET-KEY-1"], "[0-9A-Z]{58}"),
    format("anthropic_key", &["sk-ant-"], "[A-Za-z0-9_-]{32,128}"),
    format("atlassian_token", &["ATATT3", "ATCTT3"], "[A-Za-z0-9_=-]{50,250}"),
    format("aws_access_key", &["AKIA", "ASIA", "ABIA", "ACCA"], "[A-Z0-9]{16}"),
    format("azure_storage_key", &["AccountKey="], "[A-Za-z0-9+/]{86}=="),
    format("databricks_token", &["dapi"], "[0-9a-f]{32}(?:-[0-9])?"),
    format("digitalocean_token", &["dop_v1_", "doo_v1_", "dor_v1_"], "[0-9a-f]{64}"),
    format("docker_token", &["dckr_pat_", "dckr_oat_"], "[A-Za-z0-9_-]{27,40}"),
    format("doppler_token", &["dp.pt.", "dp.st.", "dp.ct."], "[A-Za-z0-9_.-]{40,64}"),
    format("github_token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], "[A-Za-z0-9]{36,251}"),
    format("github_token", &["github_pat_"], "[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    format(
        "gitlab_token",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-"],
        "[A-Za-z0-9_.-]{20,64}",
    ),
    format("google_api_key", &["AIza"], "[A-Za-z0-9_-]{35}"),
    format("google_oauth_secret", &["GOCSPX-"], "[A-Za-z0-9_-]{28}"),
    format("google_oauth_token", &["ya29."], "[A-Za-z0-9_-]{30,512}"),
    format("grafana_token", &["glsa_"], "[A-Za-z0-9]{32}_[0-9a-f]{8}"),
    format("grafana_token", &["glc_"], "[A-Za-z0-9+/]{32,400}={0,2}"),
    format("groq_key", &["gsk_"], "[A-Za-z0-9]{52}"),
    format("hashicorp_vault_token", &["hvs.", "hvb.", "hvr."], "[A-Za-z0-9_-]{24,300}"),
    format("huggingface_token", &["hf_", "api_org_"], "[A-Za-z]{34}"),
    format("jwt", &["eyJ"], r"[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,16384}\.[A-Za-z0-9_-]{16,2048}"),
    format("linear_key", &["lin_api_"], "[A-Za-z0-9]{40}"),
    format("mailgun_key", &["key-"], "[0-9a-f]{32}"),
    format("newrelic_key", &["NRAK-", "NRJS-"], "[A-Z0-9]{19,27}"),
    format("notion_token", &["ntn_", "secret_"], "[A-Za-z0-9]{43,50}"),
    format("npm_token", &["npm_"], "[A-Za-z0-9]{36}"),
    format("openai_key", &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"], "[A-Za-z0-9_-]{40,200}"),
    format("openai_key", &["sk-"], "[A-Za-z0-9]{32,64}"),
    format("planetscale_token", &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], "[A-Za-z0-9_.=-]{32,64}"),
    format("postman_key", &["PMAK-"], "[0-9a-f]{24}-[0-9a-f]{34}"),
    format("pulumi_token", &["pul-"], "[0-9a-f]{40}"),
    format("pypi_token", &["pypi-AgE"], "[A-Za-z0-9_-]{50,1000}"),
    format("rubygems_key", &["rubygems_"], "[0-9a-f]{48}"),
    format("sendgrid_key", &["SG."], r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    format("shopify_token", &["shpat_", "shpca_", "shppa_", "shpss_"], "[0-9a-fA-F]{32}"),
    format(
        "slack_token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xoxo-"],
        "[0-9A-Za-z.-]{10,250}",
    ),
    format("slack_token", &["xapp-"], "[0-9]-[A-Z0-9]{8,14}-[0-9]{8,16}-[0-9a-f]{32,64}"),
    format(
        "slack_webhook",
        &["hooks.slack.com/services/"],
        "T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{23,25}",
    ),
    format("square_token", &["sq0atp-", "sq0csp-", "EAAA"], "[A-Za-z0-9_-]{22,60}"),
    format("stripe_key", &["sk_live_", "sk_test_", "rk_live_", "rk_test_"], "[A-Za-z0-9]{16,247}"),
    format("stripe_webhook_secret", &["whsec_"], "[A-Za-z0-9+/]{32,64}=?"),
    format("supabase_token", &["sbp_"], "[0-9a-f]{40}"),
    format("xai_key", &["xai-"], "[A-Za-z0-9]{80}"),
];
