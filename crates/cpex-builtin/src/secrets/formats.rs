//! Keys that say themselves what they are: a fixed prefix, then so many signs of an alphabet.
//!
//! From the issuers' own documentation. A format is one line.

/// A format: the kind it is reported as, the prefixes that find it, and what follows them.
pub(super) struct Format {
    pub(super) kind: &'static str,
    pub(super) prefixes: &'static [&'static str],
    rest: &'static [Part],
}

impl Format {
    /// Where a key ends whose prefix ends at `at`, if all that follows is there.
    pub(super) fn end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        self.rest.iter().try_fold(at, |at, part| part.end(bytes, at))
    }
}

enum Part {
    Text(&'static str),
    /// At least and at most so many signs of an alphabet.
    Signs(&'static Alphabet, usize, usize),
}

impl Part {
    fn end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Text(text) => bytes[at..].starts_with(text.as_bytes()).then_some(at + text.len()),
            Self::Signs(Alphabet(signs), least, most) => {
                let run =
                    bytes[at..].iter().take(*most).take_while(|byte| signs[usize::from(**byte)]).count();
                (run >= *least).then_some(at + run)
            }
        }
    }
}

/// A set of bytes.
pub(super) struct Alphabet(pub(super) [bool; 256]);

impl Alphabet {
    /// Letters and digits as said, and further signs.
    pub(super) const fn new(upper: bool, lower: bool, digits: bool, others: &str) -> Self {
        let mut signs = [false; 256];
        let mut index = 0;
        while index < 256 {
            signs[index] = match index as u8 {
                b'A'..=b'Z' => upper,
                b'a'..=b'z' => lower,
                b'0'..=b'9' => digits,
                _ => false,
            };
            index += 1;
        }
        let mut index = 0;
        while index < others.len() {
            signs[others.as_bytes()[index] as usize] = true;
            index += 1;
        }
        Self(signs)
    }
}

static LETTERS: Alphabet = Alphabet::new(true, true, false, "");
static DIGITS: Alphabet = Alphabet::new(false, false, true, "");
static UPPER: Alphabet = Alphabet::new(true, false, true, "");
static LOWER: Alphabet = Alphabet::new(false, true, true, "");
static HEX: Alphabet = Alphabet::new(false, false, true, "abcdefABCDEF");
static ALNUM: Alphabet = Alphabet::new(true, true, true, "");
static BASE64: Alphabet = Alphabet::new(true, true, true, "+/");
static BASE64_URL: Alphabet = Alphabet::new(true, true, true, "-_");
static DOTTED: Alphabet = Alphabet::new(true, true, true, "-_.");
static PADDED: Alphabet = Alphabet::new(true, true, true, "-_=.");
static PADDING: Alphabet = Alphabet::new(false, false, false, "=");

const fn format(kind: &'static str, prefixes: &'static [&'static str], rest: &'static [Part]) -> Format {
    Format { kind, prefixes, rest }
}

const fn some(alphabet: &'static Alphabet, least: usize, most: usize) -> Part {
    Part::Signs(alphabet, least, most)
}

const fn just(alphabet: &'static Alphabet, count: usize) -> Part {
    Part::Signs(alphabet, count, count)
}

const fn text(text: &'static str) -> Part {
    Part::Text(text)
}

pub(super) static FORMATS: [Format; 91] = [
    format("age_secret_key", &["AGE-SECRET-KEY-1"], &[just(&UPPER, 58)]),
    format("airtable_token", &["pat"], &[just(&ALNUM, 14), text("."), just(&HEX, 64)]),
    format("alibaba_access_key", &["LTAI"], &[some(&ALNUM, 16, 26)]),
    format("anthropic_key", &["sk-ant-"], &[some(&BASE64_URL, 32, 128)]),
    format("artifactory_token", &["AKCp"], &[some(&ALNUM, 68, 70)]),
    format("artifactory_token", &["cmVmdGtu"], &[some(&ALNUM, 52, 60)]),
    format("atlassian_token", &["ATATT3", "ATCTT3"], &[some(&PADDED, 50, 250)]),
    format("aws_access_key", &["AKIA", "ASIA", "ABIA", "ACCA"], &[just(&UPPER, 16)]),
    format("azure_storage_key", &["AccountKey="], &[just(&BASE64, 86), text("==")]),
    format("azure_shared_access_key", &["SharedAccessKey="], &[just(&BASE64, 43), text("=")]),
    format("brevo_key", &["xkeysib-", "xsmtpsib-"], &[just(&HEX, 64), text("-"), just(&ALNUM, 16)]),
    format("buildkite_token", &["bkua_"], &[just(&HEX, 40)]),
    format("circleci_token", &["CCIPAT_", "CCIPRJ_"], &[just(&ALNUM, 22), text("_"), just(&HEX, 40)]),
    format("clojars_token", &["CLOJARS_"], &[just(&LOWER, 60)]),
    format("contentful_token", &["CFPAT-"], &[just(&BASE64_URL, 43)]),
    format("crates_token", &["cio"], &[just(&ALNUM, 32)]),
    format("databricks_token", &["dapi"], &[just(&HEX, 32), some(&BASE64_URL, 0, 2)]),
    format("digitalocean_token", &["dop_v1_", "doo_v1_", "dor_v1_"], &[just(&HEX, 64)]),
    format(
        "discord_webhook",
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        &[some(&DIGITS, 17, 20), text("/"), some(&BASE64_URL, 60, 72)],
    ),
    format("docker_token", &["dckr_pat_", "dckr_oat_"], &[some(&BASE64_URL, 27, 40)]),
    format("doppler_token", &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim."], &[some(&DOTTED, 40, 64)]),
    format("dynatrace_token", &["dt0c01.", "dt0s01."], &[just(&UPPER, 24), text("."), just(&UPPER, 64)]),
    format("elevenlabs_key", &["sk_"], &[just(&HEX, 48)]),
    format("facebook_token", &["EAAB", "EAAC", "EAAD", "EAAG", "EAAJ"], &[some(&ALNUM, 80, 400)]),
    format("figma_token", &["figd_", "figo_"], &[some(&BASE64_URL, 38, 44)]),
    format("flutterwave_key", &["FLWSECK-", "FLWSECK_TEST-"], &[just(&HEX, 32), text("-X")]),
    format("fly_token", &["fm1_", "fm2_", "fm1r_", "fo1_"], &[some(&PADDED, 40, 800)]),
    format("github_token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], &[some(&ALNUM, 36, 251)]),
    format("github_token", &["github_pat_"], &[just(&ALNUM, 22), text("_"), just(&ALNUM, 59)]),
    format(
        "gitlab_token",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-"],
        &[some(&DOTTED, 20, 64)],
    ),
    format("google_api_key", &["AIza"], &[just(&BASE64_URL, 35)]),
    format("google_oauth_secret", &["GOCSPX-"], &[just(&BASE64_URL, 28)]),
    format("google_oauth_token", &["ya29."], &[some(&BASE64_URL, 30, 512)]),
    format("google_refresh_token", &["1//0"], &[some(&BASE64_URL, 40, 120)]),
    format("grafana_token", &["glsa_"], &[just(&ALNUM, 32), text("_"), just(&HEX, 8)]),
    format("grafana_token", &["glc_", "eyJrIjoi"], &[some(&BASE64, 32, 400), some(&PADDING, 0, 2)]),
    format("groq_key", &["gsk_"], &[just(&ALNUM, 52)]),
    format("hashicorp_vault_token", &["hvs.", "hvb.", "hvr."], &[some(&BASE64_URL, 24, 300)]),
    format("heroku_key", &["HRKU-"], &[some(&BASE64_URL, 36, 70)]),
    format(
        "hubspot_token",
        &["pat-na1-", "pat-na2-", "pat-eu1-"],
        &[just(&HEX, 8), some(&BASE64_URL, 28, 28)],
    ),
    format("huggingface_token", &["hf_", "api_org_"], &[just(&LETTERS, 34)]),
    format(
        "jwt",
        &["eyJ"],
        &[
            some(&BASE64_URL, 8, 4096),
            text(".eyJ"),
            some(&BASE64_URL, 8, 16_384),
            text("."),
            some(&BASE64_URL, 16, 2048),
        ],
    ),
    format("langfuse_key", &["sk-lf-"], &[just(&HEX, 8), some(&BASE64_URL, 28, 28)]),
    format("langsmith_key", &["lsv2_pt_", "lsv2_sk_"], &[just(&HEX, 32), text("_"), just(&HEX, 10)]),
    format("linear_key", &["lin_api_", "lin_oauth_"], &[some(&ALNUM, 40, 64)]),
    format("mailgun_key", &["key-"], &[just(&HEX, 32)]),
    format("netlify_token", &["nfp_", "nfc_", "nfo_", "nfu_"], &[some(&ALNUM, 36, 40)]),
    format("newrelic_key", &["NRAK-", "NRJS-", "NRII-", "NRIQ-", "NRRA-"], &[some(&BASE64_URL, 19, 42)]),
    format("notion_token", &["ntn_", "secret_"], &[some(&ALNUM, 43, 50)]),
    format("npm_token", &["npm_"], &[just(&ALNUM, 36)]),
    format("nuget_key", &["oy2"], &[just(&LOWER, 43)]),
    format("nvidia_key", &["nvapi-"], &[some(&BASE64_URL, 60, 70)]),
    format("onepassword_token", &["ops_eyJ"], &[some(&BASE64, 200, 2000), some(&PADDING, 0, 2)]),
    format(
        "openai_key",
        &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"],
        &[some(&BASE64_URL, 40, 200)],
    ),
    format("openai_key", &["sk-"], &[some(&ALNUM, 32, 64)]),
    format("openrouter_key", &["sk-or-v1-"], &[just(&HEX, 64)]),
    format("openshift_token", &["sha256~"], &[just(&BASE64_URL, 43)]),
    format("perplexity_key", &["pplx-"], &[some(&ALNUM, 48, 56)]),
    format("pinecone_key", &["pcsk_"], &[some(&BASE64_URL, 60, 80)]),
    format("planetscale_token", &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], &[some(&PADDED, 32, 64)]),
    format("postman_key", &["PMAK-"], &[just(&HEX, 24), text("-"), just(&HEX, 34)]),
    format("posthog_key", &["phx_"], &[some(&ALNUM, 43, 50)]),
    format("prefect_key", &["pnu_"], &[just(&ALNUM, 36)]),
    format("pulumi_token", &["pul-"], &[just(&HEX, 40)]),
    format("pypi_token", &["pypi-AgE"], &[some(&BASE64_URL, 50, 1000)]),
    format("readme_key", &["rdme_"], &[just(&LOWER, 70)]),
    format("replicate_token", &["r8_"], &[just(&ALNUM, 37)]),
    format("resend_key", &["re_"], &[just(&ALNUM, 8), text("_"), some(&ALNUM, 22, 26)]),
    format("rubygems_key", &["rubygems_"], &[just(&HEX, 48)]),
    format("sendgrid_key", &["SG."], &[just(&BASE64_URL, 22), text("."), just(&BASE64_URL, 43)]),
    format("sentry_token", &["sntryu_"], &[just(&HEX, 64)]),
    format(
        "sentry_token",
        &["sntrys_eyJ"],
        &[some(&BASE64, 40, 400), some(&PADDING, 0, 2), some(&BASE64_URL, 0, 64)],
    ),
    format("shippo_token", &["shippo_live_", "shippo_test_"], &[just(&HEX, 40)]),
    format("shopify_token", &["shpat_", "shpca_", "shppa_", "shpss_"], &[just(&HEX, 32)]),
    format(
        "slack_token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xoxo-", "xoxc-", "xoxd-"],
        &[some(&DOTTED, 16, 250)],
    ),
    format(
        "slack_token",
        &["xapp-"],
        &[
            just(&DIGITS, 1),
            text("-"),
            some(&UPPER, 8, 14),
            text("-"),
            some(&DIGITS, 8, 16),
            text("-"),
            some(&HEX, 32, 64),
        ],
    ),
    format(
        "slack_webhook",
        &["hooks.slack.com/services/", "hooks.slack.com/workflows/"],
        &[text("T"), some(&UPPER, 8, 12), text("/"), some(&UPPER, 9, 13), text("/"), some(&ALNUM, 18, 25)],
    ),
    format("sonarqube_token", &["sqp_", "squ_", "sqa_"], &[just(&HEX, 40)]),
    format("sourcegraph_token", &["sgp_"], &[some(&BASE64_URL, 40, 64)]),
    format("square_token", &["sq0atp-", "sq0csp-", "EAAA"], &[some(&BASE64_URL, 22, 60)]),
    format("stripe_key", &["sk_live_", "sk_test_", "rk_live_", "rk_test_"], &[some(&ALNUM, 16, 247)]),
    format("stripe_webhook_secret", &["whsec_"], &[some(&BASE64, 32, 64), some(&PADDING, 0, 1)]),
    format("supabase_token", &["sbp_"], &[just(&HEX, 40)]),
    format("supabase_token", &["sb_secret_"], &[some(&BASE64_URL, 22, 48)]),
    format("tailscale_key", &["tskey-"], &[some(&BASE64_URL, 20, 80)]),
    format("tavily_key", &["tvly-"], &[some(&BASE64_URL, 28, 60)]),
    format("tencent_access_key", &["AKID"], &[just(&ALNUM, 32)]),
    format("typeform_token", &["tfp_"], &[some(&DOTTED, 40, 64)]),
    format("voyage_key", &["pa-"], &[just(&BASE64_URL, 43)]),
    format("wandb_key", &["wandb_v1_"], &[some(&BASE64_URL, 40, 90)]),
    format("xai_key", &["xai-"], &[just(&ALNUM, 80)]),
];
