//! A plugin, a closure and a manager.

use cpex::{Context, Hook, Manager, Payload, PluginContext, Reply, Violation, plugin};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
struct Mail {
    #[payload(subject)]
    recipient: String,
    body: String,
}

const MAIL_PRE_SEND: Hook<Mail> = Hook::new("mail_pre_send");

struct Footer {
    text: String,
}

#[plugin]
impl Footer {
    #[hook(MAIL_PRE_SEND)]
    async fn append(&self, mail: &Mail, context: &mut PluginContext) -> Reply<Mail> {
        context.shared_mut().insert("seen".into(), true.into());
        tokio::task::yield_now().await;
        Reply::modify(Mail { body: format!("{}\n{}", mail.body, self.text), ..mail.clone() })
    }
}

#[tokio::test]
async fn a_chain() {
    let manager = Manager::builder()
        .plugin("footer", Footer { text: "-- sent with care".to_owned() })
        .on(&MAIL_PRE_SEND, "domains", |mail: &Mail, _: &mut PluginContext| {
            if mail.recipient.ends_with("@example.com") {
                Reply::allow()
            } else {
                Reply::deny(Violation::new("DOMAIN", "unknown domain"))
            }
        })
        .build();
    let context = Context::new("1");
    let mail = Mail { recipient: "ann@example.com".into(), body: "Hello".into() };
    let running = tokio::spawn({
        let (manager, mail) = (manager.clone(), mail.clone());
        async move { manager.invoke(&MAIL_PRE_SEND, &mail, &Context::new("0")).await.map(|o| o.is_allowed()) }
    });
    assert!(running.await.unwrap().unwrap());
    let outcome = manager.invoke(&MAIL_PRE_SEND, &mail, &context).await.unwrap();
    assert_eq!(outcome.into_payload(mail).unwrap().body, "Hello\n-- sent with care");
    assert_eq!(context.shared()["seen"], true);
    let stranger = Mail { recipient: "bob@elsewhere.net".into(), body: String::new() };
    let outcome = manager.invoke(&MAIL_PRE_SEND, &stranger, &context).await.unwrap();
    assert_eq!(outcome.violation.unwrap().plugin, "domains");
}
