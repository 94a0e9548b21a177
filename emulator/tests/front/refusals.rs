//! Every refusal at the door, byte by byte as a client sees it. The texts stand here a second time on purpose: a change
//! of the data file must be seen by somebody.

use std::time::Duration;

use bytes::BufMut;
use lakekey_emulator::front::FrontOptions;
use lakekey_gateway::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{
    SSL_REQUEST, ended, log_in, message, packet, password, refused, startup, tcp, tls,
};
use crate::stage::{HOST, Stage, TOKEN, USER};

const SSL_HINT: &str =
    "Ensure that connection is using SSL. Try using `sslmode-require` in the connection string.";
const EXTERNAL: &str = "This could be due to paused instances, disabling readable secondaries, IP ACLs or private \
                        link configuration.";
const TIMEOUT: &str = "Insecure connection. Ensure that connection is using SSL. Try using `sslmode=require` in the \
                       connection string.";

#[tokio::test]
async fn without_tls() {
    let stage = Stage::open().await;
    let address = stage.front.address();

    let mut plain = tcp(address).await;
    plain.write_all(&startup(&[("user", USER)])).await.unwrap();
    let text = "Invalid protocol version. Protocol version: 196608";
    refused(&mut plain)
        .await
        .assert("08P01", text, Some(SSL_HINT));

    let mut gss = tcp(address).await;
    gss.write_all(&packet(80_877_104, &[])).await.unwrap();
    let text = "Invalid protocol version. Protocol version: 80877104";
    refused(&mut gss)
        .await
        .assert("08P01", text, Some(SSL_HINT));

    let mut long = tcp(address).await;
    long.write_all(&packet(80_877_103, &[0])).await.unwrap();
    let hint = SSL_HINT.replace("sslmode-require", "sslmode=require");
    refused(&mut long)
        .await
        .assert("08P01", "Invalid SSL request message length.", Some(&hint));

    let mut cancel = tcp(address).await;
    cancel
        .write_all(&packet(80_877_102, &[0; 9]))
        .await
        .unwrap();
    refused(&mut cancel)
        .await
        .assert("08P01", "Invalid cancel request message length.", None);

    let mut eager = tcp(address).await;
    eager
        .write_all(&[&SSL_REQUEST[..], b"\x16\x03\x01"].concat())
        .await
        .unwrap();
    assert_eq!(eager.read_u8().await.unwrap(), b'S');
    let detail = "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.";
    let text = "Received unencrypted data after SSL request.";
    refused(&mut eager)
        .await
        .assert("08P01", text, Some(detail));
    stage.close().await;
}

#[tokio::test]
async fn no_handshake_in_time() {
    let limits = Limits {
        handshake: Duration::from_millis(300),
        ..Limits::default()
    };
    let stage = Stage::with(
        FrontOptions {
            limits,
            ..FrontOptions::default()
        },
        None,
    )
    .await;
    let address = stage.front.address();

    let mut mute = tcp(address).await;
    refused(&mut mute).await.assert("08006", TIMEOUT, None);

    // Direct TLS: the first bytes of a ClientHello, read as a length, are never all there.
    let mut direct = tcp(address).await;
    direct
        .write_all(b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03")
        .await
        .unwrap();
    refused(&mut direct).await.assert("08006", TIMEOUT, None);

    let mut inside = tls(&stage, address, Some(HOST)).await;
    refused(&mut inside).await.assert("08006", TIMEOUT, None);

    let mut half = tls(&stage, address, Some(HOST)).await;
    half.write_all(&startup(&[("user", USER)])[..20])
        .await
        .unwrap();
    refused(&mut half).await.assert("08006", TIMEOUT, None);

    // In the middle of a TLS handshake nothing can be said.
    let mut stuck = tcp(address).await;
    stuck.write_all(&SSL_REQUEST).await.unwrap();
    assert_eq!(stuck.read_u8().await.unwrap(), b'S');
    ended(&mut stuck).await;
    stage.close().await;
}

#[tokio::test]
async fn broken_startup_packets() {
    let stage = Stage::open().await;
    let open = || tls(&stage, stage.front.address(), Some(HOST));

    for length in [0_u32, 7, 10_000, u32::MAX] {
        let mut stream = open().await;
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.put_u32(3 << 16);
        stream.write_all(&bytes).await.unwrap();
        refused(&mut stream)
            .await
            .assert("08006", "Invalid length of startup packet.", None);
    }
    for (code, version) in [
        (3 << 16 | 2, "3.2"),
        (2 << 16, "2.0"),
        (80_877_103, "1234.5679"),
    ] {
        let mut stream = open().await;
        stream
            .write_all(&packet(code, b"user\0x\0\0"))
            .await
            .unwrap();
        let text = format!("Unsupported frontend protocol {version}. Server supports 3.0 to 3.0");
        refused(&mut stream).await.assert("0A000", &text, None);
    }
    let mut stream = open().await;
    stream
        .write_all(&packet(3 << 16, b"user\0x"))
        .await
        .unwrap();
    let text = "invalid startup packet layout: expected terminator as last byte";
    refused(&mut stream).await.assert("08P01", text, None);

    let mut stream = open().await;
    stream
        .write_all(&packet(3 << 16, b"database\0x\0\0"))
        .await
        .unwrap();
    let text = "no PostgreSQL user name specified in startup packet";
    refused(&mut stream).await.assert("28000", text, None);

    // The longest packet that is allowed gets as far as the password.
    let mut stream = open().await;
    let filler = "x".repeat(9_999 - 8 - "user\0x\0application_name\0\0\0".len());
    let longest = startup(&[("user", "x"), ("application_name", &filler)]);
    assert_eq!(longest.len(), 9_999);
    stream.write_all(&longest).await.unwrap();
    assert_eq!(
        message(&mut stream).await.unwrap(),
        (b'R', vec![0, 0, 0, 3])
    );
    drop(stream);
    stage.close().await;
}

#[tokio::test]
async fn unknown_and_closed_endpoints() {
    let stage = Stage::open().await;
    let address = stage.front.address();
    let hello = startup(&[("user", USER), ("options", "endpoint=ep-one")]);

    let mut nameless = tls(&stage, address, None).await;
    nameless.write_all(&hello).await.unwrap();
    let detail = "Please upgrade your client to support SNI.";
    refused(&mut nameless)
        .await
        .assert("08006", "Connection does not have SNI.", Some(detail));

    // The protocol is checked before the name.
    let mut nameless = tls(&stage, address, None).await;
    nameless
        .write_all(&packet(3 << 16 | 2, b"user\0x\0\0"))
        .await
        .unwrap();
    assert_eq!(refused(&mut nameless).await.get('C'), Some("0A000"));

    let mut unknown = tls(&stage, address, Some("ep-nobody.database.localhost")).await;
    unknown.write_all(&hello).await.unwrap();
    refused(&mut unknown)
        .await
        .assert("28000", "External authorization failed.", Some(EXTERNAL));

    stage
        .plane
        .endpoints
        .lock()
        .unwrap()
        .get_mut("ep-one")
        .unwrap()
        .disabled = true;
    let mut disabled = tls(&stage, address, Some(HOST)).await;
    disabled.write_all(&hello).await.unwrap();
    refused(&mut disabled)
        .await
        .assert("28000", "External authorization failed.", Some(EXTERNAL));
    stage
        .plane
        .endpoints
        .lock()
        .unwrap()
        .get_mut("ep-one")
        .unwrap()
        .disabled = false;

    let reason = "Source IP address: 10.0.0.1 is blocked by Databricks IP ACL for workspace: 42";
    *stage.plane.external.lock().unwrap() = Some(Some(reason.into()));
    let mut blocked = tls(&stage, address, Some(HOST)).await;
    blocked.write_all(&hello).await.unwrap();
    let detail = format!("{EXTERNAL} {reason}");
    refused(&mut blocked)
        .await
        .assert("28000", "External authorization failed.", Some(&detail));

    assert_eq!(
        stage.fleet.counts().starts,
        0,
        "a refused connection wakes nothing"
    );
    stage.close().await;
}

#[tokio::test]
async fn refused_passwords() {
    let stage = Stage::open().await;
    let failed = format!("password authentication failed for user \"{USER}\"");
    for (secret, code, text) in [
        ("expired", "28P01", failed.as_str()),
        ("somebody-else", "28P01", &failed),
        ("wrong", "28P01", &failed),
        (
            "not-a-jwt",
            "28P01",
            "Provided authentication token is not a valid JWT encoding",
        ),
        (
            "workspace",
            "28000",
            "Invalid authorization for databricks identity login",
        ),
        (
            "untrusted",
            "28000",
            "Invalid authorization for databricks identity login",
        ),
        ("", "28P01", "empty password returned by client"),
    ] {
        let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
        log_in(&mut stream, USER, secret).await;
        refused(&mut stream).await.assert(code, text, None);
        let (_, _, seen) = stage.plane.logins.lock().unwrap().pop().unwrap();
        assert_eq!(seen, Some((code.into(), text.into())));
    }

    let mut silent = tls(&stage, stage.front.address(), Some(HOST)).await;
    log_in(&mut silent, USER, "native-off").await;
    ended(&mut silent).await;

    let mut pooled = tls(
        &stage,
        stage.front.address(),
        Some("ep-one-pooler.database.localhost"),
    )
    .await;
    log_in(&mut pooled, USER, TOKEN).await;
    refused(&mut pooled)
        .await
        .assert("08P01", "SASL authentication failed", None);

    assert_eq!(
        stage.fleet.counts().starts,
        0,
        "a refused login wakes nothing"
    );

    // Only Postgres knows the roles that were made in SQL.
    let mut unknown = tls(&stage, stage.front.address(), Some(HOST)).await;
    log_in(&mut unknown, USER, "role-missing").await;
    refused(&mut unknown).await.assert("28P01", &failed, None);
    assert_eq!(stage.fleet.counts().starts, 1);
    stage.close().await;
}

#[tokio::test]
async fn password_messages_that_are_none() {
    let limits = Limits {
        login: Duration::from_millis(300),
        ..Limits::default()
    };
    let stage = Stage::with(
        FrontOptions {
            limits,
            ..FrontOptions::default()
        },
        None,
    )
    .await;
    let asked = || async {
        let mut stream = tls(&stage, stage.front.address(), Some(HOST)).await;
        stream.write_all(&startup(&[("user", USER)])).await.unwrap();
        assert_eq!(
            message(&mut stream).await.unwrap(),
            (b'R', vec![0, 0, 0, 3])
        );
        stream
    };
    let mut query = asked().await;
    query.write_all(b"Q\0\0\0\x0dSELECT 1\0").await.unwrap();
    refused(&mut query).await.assert(
        "08P01",
        "expected password response, got message type 81",
        None,
    );

    let mut huge = asked().await;
    huge.write_all(&password(&"x".repeat(70_000)))
        .await
        .unwrap();
    refused(&mut huge)
        .await
        .assert("08P01", "invalid password packet size", None);

    let mut slow = asked().await;
    refused(&mut slow)
        .await
        .assert("57014", "canceling authentication due to timeout", None);

    // A long token, as real ones are, is no problem.
    let mut long = asked().await;
    long.write_all(&password(&"x".repeat(8_000))).await.unwrap();
    assert_eq!(refused(&mut long).await.get('C'), Some("28P01"));
    stage.close().await;
}
