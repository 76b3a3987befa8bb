//! Property test: any JSON text survives a call byte for byte.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use testkit::verbatim::{assert_passes, with_peers};

/// White space between tokens. In responses of upstreams, a tab is replaced by a line end.
const SPACE: [&str; 6] = ["", "", "", " ", "  ", "\t"];
const SCALARS: [&str; 20] = [
    "0",
    "-0",
    "1.0",
    "0.10",
    "1E400",
    "-1e-400",
    "1E+05",
    "18446744073709551616",
    "2.50e1",
    "true",
    "false",
    "null",
    r#""""#,
    r#""\u00e9\/""#,
    r#""\ud800""#,
    r#""\"\\\b\f\n\r\t""#,
    "\"\u{2028}\"",
    r#""\u0000""#,
    r#""}{][,:""#,
    r#""😀\ud83d\ude00""#,
];
const KEYS: [&str; 8] = [
    r#""a""#,
    r#""\u0061""#,
    r#""""#,
    r#""id""#,
    r#""resultType""#,
    r#""_meta""#,
    r#""\ud800""#,
    r#""name""#,
];

/// A strategy for any JSON text.
fn any_json() -> impl Strategy<Value = String> {
    let number = (any::<u64>(), any::<u64>(), -400..400i32);
    let number = number.prop_map(|(a, b, e)| format!("-{a}.{b}e{e}"));
    let leaf = prop_oneof![3 => select(&SCALARS[..]).prop_map(str::to_owned), 1 => number];
    let spaced = |inner: BoxedStrategy<String>| {
        (select(&SPACE[..]), inner, select(&SPACE[..]))
            .prop_map(|(a, text, b)| format!("{a}{text}{b}"))
    };
    leaf.prop_recursive(5, 48, 6, move |inner| {
        let value = spaced(inner.boxed());
        let key = spaced(select(&KEYS[..]).prop_map(str::to_owned).boxed());
        let member = (key, value.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        let array = vec(value, 0..6).prop_map(|items| format!("[{}]", items.join(",")));
        let object = vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")));
        prop_oneof![array, object]
    })
}

#[test]
fn any_json_survives_a_call_byte_for_byte() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (peers, mut client) = runtime.block_on(with_peers());
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let client = RefCell::new(&mut client);
    let passed = TestRunner::new(config).run(&(any_json(), any_json()), |(arguments, result)| {
        let result = format!(r#"{{"content":{}}}"#, result.replace('\t', "\r\n"));
        let reply = (r#"{"jsonrpc":"2.0","id":ID,"result":"#, &*result, "}");
        let call = ("any JSON", "", &*arguments);
        runtime.block_on(assert_passes(
            *client.borrow_mut(),
            &peers,
            call,
            reply,
            "1",
        ));
        Ok(())
    });
    passed.unwrap();
}
