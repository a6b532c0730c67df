//! Typed payloads are walked where they are, whatever their types.

use std::collections::BTreeMap;

use cpex::hooks::Secret;
use cpex::{Hook, Payload};
use serde::{Deserialize, Serialize};

use super::{of_one, request};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
struct Mail {
    recipients: Vec<String>,
    subject: Option<String>,
    parts: Vec<Part>,
    headers: BTreeMap<String, String>,
    token: Secret,
    #[serde(skip)]
    attempts: u32,
    account: u64,
    letter: char,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Part {
    Plain(String),
    Html { body: String },
    Both(String, String),
    Nothing,
}

const MAIL: Hook<Mail> = Hook::new("mail_pre_send");

fn mail() -> Mail {
    Mail {
        recipients: vec!["ann@example.com".into(), "the team".into()],
        subject: Some("from bob@example.com".into()),
        parts: vec![
            Part::Plain("carl@example.com".into()),
            Part::Html { body: "dora@example.com".into() },
            Part::Both("nothing".into(), "eve@example.com".into()),
            Part::Nothing,
        ],
        headers: BTreeMap::from([
            ("fred@example.com".into(), "1".into()),
            ("gina@example.com".into(), "hank@example.com".into()),
        ]),
        token: "t0ken".into(),
        attempts: 3,
        account: 42,
        letter: 'x',
    }
}

/// Changes come back typed; what JSON does not tell in full, secrets and skipped fields, stays as it is.
#[tokio::test]
async fn every_text_is_found_and_the_rest_stays() {
    let builder = cpex::Manager::builder().hook(&MAIL);
    let yaml = "plugins: [{name: it, kind: builtin.pii_redactor, hooks: [mail_pre_send], required: true}]";
    let config = cpex::config::Config::parse(yaml, "plugins.yaml").unwrap();
    let manager = builder.config(config).start().await.unwrap();
    let outcome = manager.invoke(&MAIL, &mail(), &request()).await.unwrap();
    assert_eq!(outcome.metadata["it"]["findings"]["email"], 8);
    let expected = Mail {
        recipients: vec!["[EMAIL]".into(), "the team".into()],
        subject: Some("from [EMAIL]".into()),
        parts: vec![
            Part::Plain("[EMAIL]".into()),
            Part::Html { body: "[EMAIL]".into() },
            Part::Both("nothing".into(), "[EMAIL]".into()),
            Part::Nothing,
        ],
        headers: BTreeMap::from([("[EMAIL]".into(), "1".into()), ("[EMAIL] (2)".into(), "[EMAIL]".into())]),
        ..mail()
    };
    assert_eq!(*outcome.payload.unwrap(), expected);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
struct Renamed {
    #[serde(rename = "mailTo")]
    mail_to: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
struct Lossy {
    #[serde(rename = "mailTo")]
    mail_to: String,
    #[serde(skip)]
    attempts: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
struct Account {
    number: u64,
}

/// A field may have another name in JSON. A payload that cannot be put together again with the change makes the
/// plugin fail: it does not go on with the text.
#[tokio::test]
async fn what_cannot_be_put_together_again_does_not_pass() {
    const RENAMED: Hook<Renamed> = Hook::new("renamed");
    const LOSSY: Hook<Lossy> = Hook::new("lossy");
    const ACCOUNT: Hook<Account> = Hook::new("account");

    let builder = cpex::Manager::builder().hook(&RENAMED).hook(&LOSSY).hook(&ACCOUNT);
    let yaml =
        "plugins: [{name: it, kind: builtin.pii_redactor, hooks: [renamed, lossy, account], required: true}]";
    let config = cpex::config::Config::parse(yaml, "plugins.yaml").unwrap();
    let manager = builder.config(config).start().await.unwrap();
    let renamed = Renamed { mail_to: "ann@example.com".into() };
    let outcome = manager.invoke(&RENAMED, &renamed, &request()).await.unwrap();
    assert_eq!(outcome.payload.unwrap().mail_to, "[EMAIL]");
    let lossy = Lossy { mail_to: "ann@example.com".into(), attempts: 3 };
    assert!(manager.invoke(&LOSSY, &lossy, &request()).await.is_err());
    let lossy = Lossy { mail_to: "nobody".into(), attempts: 3 };
    assert!(manager.invoke(&LOSSY, &lossy, &request()).await.unwrap().is_allowed());
    let card = Account { number: 4_111_111_111_111_111 };
    assert!(manager.invoke(&ACCOUNT, &card, &request()).await.is_err());
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
struct Login {
    auth: Auth,
    note: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Auth {
    user: String,
    key: Secret,
}

/// A field is taken from JSON as a whole: one that JSON does not tell in full cannot be changed, and what it does not
/// tell is not replaced by what it says instead.
#[tokio::test]
async fn a_secret_beside_a_changed_text_is_not_lost() {
    const LOGIN: Hook<Login> = Hook::new("login");
    let yaml = "plugins: [{name: it, kind: builtin.pii_redactor, hooks: [login], required: true}]";
    let config = cpex::config::Config::parse(yaml, "plugins.yaml").unwrap();
    let manager = cpex::Manager::builder().hook(&LOGIN).config(config).start().await.unwrap();
    let login = |user: &str, note: &str| Login {
        auth: Auth { user: user.into(), key: "t0ken".into() },
        note: note.into(),
    };
    let failed = manager.invoke(&LOGIN, &login("ann@example.com", ""), &request()).await.unwrap_err();
    assert!(failed.to_string().contains("is not the same once it was JSON"), "{failed}");
    let outcome = manager.invoke(&LOGIN, &login("ann", "of bob@example.com"), &request()).await.unwrap();
    assert_eq!(*outcome.payload.unwrap(), login("ann", "of [EMAIL]"));
}

/// Has one text more each time it is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<String>")]
struct Growing(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl From<Vec<String>> for Growing {
    fn from(_: Vec<String>) -> Self {
        Self::default()
    }
}

impl PartialEq for Growing {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Serialize for Growing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let before = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        serializer.collect_seq(std::iter::repeat_n("nothing", before))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
struct Unsteady {
    growing: Growing,
    text: String,
}

/// Changes are made in a second walk: if that meets other texts, they would be made elsewhere.
#[tokio::test]
async fn a_payload_with_other_texts_each_time_does_not_pass() {
    const UNSTEADY: Hook<Unsteady> = Hook::new("unsteady");
    let yaml = "plugins: [{name: it, kind: builtin.pii_redactor, hooks: [unsteady], required: true}]";
    let config = cpex::config::Config::parse(yaml, "plugins.yaml").unwrap();
    let manager = cpex::Manager::builder().hook(&UNSTEADY).config(config).start().await.unwrap();
    let payload = Unsteady { growing: Growing::default(), text: "ann@example.com".into() };
    let failed = manager.invoke(&UNSTEADY, &payload, &request()).await.unwrap_err();
    assert!(failed.to_string().contains("has other texts each time it is read"), "{failed}");
}

/// A payload that cannot be read is a failure, judged by `on_error`.
#[tokio::test]
async fn a_payload_that_is_too_deep_does_not_pass() {
    let manager = of_one("deny_list", "[tool_pre_invoke]", "{words: [forbidden]}").await;
    let deep = (0..200).fold(serde_json::json!("forbidden"), |inner, _| serde_json::json!([inner]));
    let call = cpex::hooks::ToolPreInvoke::new("search").with("query", deep);
    let failed = manager.invoke(&cpex::hooks::TOOL_PRE_INVOKE, &call, &request()).await.unwrap_err();
    assert!(failed.to_string().contains("nested deeper than 128 levels"), "{failed}");
}
