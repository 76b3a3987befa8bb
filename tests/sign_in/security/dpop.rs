//! Sender-constrained tokens (DPoP, RFC 9449), from the sign-in to the call.

use serde_json::{Value, json};

use crate::security::{Setup, call, setup, setup_with};
use testkit::oauth::{self, Dpop, Key};

/// The thumbprint of the key that the stored token is bound to.
fn key_of(setup: &Setup) -> Option<String> {
    let token = setup.stored("tokens.json")["access_token"].clone();
    setup.server.bound_to(token.as_str().unwrap())
}

#[tokio::test]
async fn calls_send_a_proof_of_the_key_of_their_token() {
    for nonces in [false, true] {
        let server = oauth::server().dpop(Dpop::Required);
        let server = if nonces { server.dpop_nonces() } else { server };
        let setup = setup(server).await;
        let mut client = setup.signed_in(Value::Null).await;
        call(&mut client).await;
        let key = key_of(&setup).expect("the token is bound");
        if nonces {
            setup.server.change_nonces();
            call(&mut client).await;
        }
        // The key outlives the token and the process.
        setup.expire();
        call(&mut client).await;
        drop(client);
        setup.expire();
        let mut client = setup.start(Value::Null).await;
        client.wait_for_tools(&["search"]).await;
        call(&mut client).await;
        assert_eq!(key_of(&setup), Some(key));
        // With nonces, each refresh is sent twice: one nonce was changed, one was lost at the
        // restart.
        let refreshes = if nonces { 4 } else { 2 };
        assert_eq!(setup.server.grants("refresh_token").len(), refreshes);
        let refused = setup.server.refusals();
        assert!(
            refused
                .iter()
                .all(|(_, error)| nonces && *error == "use_dpop_nonce"),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn token_is_bound_if_the_metadata_requires_it() {
    let server = oauth::server().dpop(Dpop::Optional);
    let demand = json!({"dpop_bound_access_tokens_required": true});
    let setup = setup_with(server, |it| it.document_with(demand)).await;
    call(&mut setup.signed_in(Value::Null).await).await;
    assert!(key_of(&setup).is_some());
}

#[tokio::test]
async fn token_is_not_bound_unless_required() {
    let setup = setup(oauth::server()).await;
    call(&mut setup.signed_in(Value::Null).await).await;
    assert!(setup.stored("tokens.json").get("dpop_key").is_none());
    let requests = setup.upstream.raw.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.header("dpop").is_none())
    );
}

#[tokio::test]
async fn client_credentials_grant_binds_its_token_too() {
    let key = Key::es256();
    let known = oauth::client("nightly").private_key(&key);
    let server = oauth::server()
        .client(known)
        .dpop(Dpop::Required)
        .dpop_nonces();
    let setup = setup(server).await;
    let mut client = setup
        .start(json!({
            "grant": "client_credentials", "client_id": "nightly",
            "private_key_pem": key.private_pem(), "signing_algorithm": key.algorithm,
        }))
        .await;
    client.wait_for_tools(&["search"]).await;
    setup.expire();
    call(&mut client).await;
    assert!(key_of(&setup).is_some());
}
