//! What becomes of headers.

use std::collections::BTreeMap;

use cpex_builtin::header_injector::{HeaderInjector, HeaderInjectorConfig};
use serde_json::{Value, json};

#[test]
fn headers_are_added_kept_and_removed() {
    let read =
        |config: Value| HeaderInjector::new(serde_json::from_value::<HeaderInjectorConfig>(config).unwrap());
    let injector = read(json!({
        "headers": {
            "X-Request-Id": {"value": "r-{request_id}"},
            "accept": {"value": "text/plain"},
            "X-User": {"value": "{user}", "overwrite": true},
        },
        "remove": ["COOKIE"],
    }))
    .unwrap();
    let headers = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let known = |name: &str| match name {
        "request_id" => Some("7".to_owned()),
        "user" => Some("eve\r\nX-Admin: yes".to_owned()),
        _ => None,
    };
    let changed = injector.inject(&headers(&[("Accept", "*/*"), ("Cookie", "a=b")]), known);
    assert_eq!(changed, Some(headers(&[("Accept", "*/*"), ("X-Request-Id", "r-7")])));
    for headers in
        [json!({"a b": {"value": "x"}}), json!({"a": {"value": "x\ny"}}), json!({"a": {"value": "{nobody}"}})]
    {
        assert!(read(json!({"headers": headers})).is_err());
    }
}
