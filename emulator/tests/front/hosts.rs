//! How clients find an endpoint that cannot resolve names below `localhost`.

use std::net::IpAddr;

use lakekey_emulator::HostMode;
use lakekey_emulator::front::FrontOptions;
use tokio::io::AsyncWriteExt;

use crate::client::{ended, log_in, refused, startup, tls, until_ready};
use crate::stage::{HOST, Stage, TOKEN, USER, host_mode};

async fn table_of(stage: &Stage, address: std::net::SocketAddr, host: Option<&str>) -> String {
    let mut stream = tls(stage, address, host).await;
    log_in(&mut stream, USER, TOKEN).await;
    until_ready(&mut stream).await;
    let place = stage.front.sessions().last().unwrap().place.clone();
    stream.write_all(b"X\0\0\0\x04").await.unwrap();
    ended(&mut stream).await;
    place
}

/// 5432, unless a program of this machine holds that port on all addresses.
fn assert_usual_port(stage: &Stage, address: std::net::SocketAddr) {
    let held = std::net::TcpListener::bind("127.3.2.1:5432").is_err();
    let free = stage.front.address().port();
    assert_eq!(address.port(), if held { free } else { 5432 });
}

#[tokio::test]
async fn a_port_that_was_asked_for_is_taken_as_it_is() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let options = FrontOptions {
        port,
        ..host_mode(HostMode::Ip)
    };
    let stage = Stage::with(options, None).await;
    let one = stage.front.expose(&stage.endpoint("ep-one")).await.unwrap();
    assert_eq!(one.port(), port);
    stage.close().await;
}

#[tokio::test]
async fn a_held_port_5432_falls_back_to_the_free_one() {
    let Ok(holder) = std::net::TcpListener::bind("127.7.7.1:5432") else {
        // Held on all addresses: then the other tests of this file see the fall-back.
        return;
    };
    let options = FrontOptions {
        network: Some([7, 7]),
        ..host_mode(HostMode::Ip)
    };
    let stage = Stage::with(options, None).await;
    let one = stage.front.expose(&stage.endpoint("ep-one")).await.unwrap();
    assert_eq!(
        one.to_string(),
        format!("127.7.7.1:{}", stage.front.address().port())
    );
    assert_eq!(table_of(&stage, one, None).await, "ep-one");
    drop(holder);
    stage.close().await;
}

#[tokio::test]
async fn by_an_address_of_its_own() {
    let stage = Stage::with(host_mode(HostMode::Ip), None).await;
    let one = stage.front.expose(&stage.endpoint("ep-one")).await.unwrap();
    let two = stage.front.expose(&stage.endpoint("ep-two")).await.unwrap();
    assert_ne!(one.ip(), two.ip());
    assert_usual_port(&stage, one);
    assert_eq!(
        stage.front.expose(&stage.endpoint("ep-one")).await.unwrap(),
        one
    );
    let IpAddr::V4(ip) = one.ip() else {
        panic!("{one}")
    };
    assert_eq!(
        Some([ip.octets()[1], ip.octets()[2]]),
        stage.front.network()
    );
    // Without SNI, and with the address itself verified against the certificate.
    assert_eq!(table_of(&stage, one, None).await, "ep-one");
    assert_eq!(table_of(&stage, two, None).await, "ep-two");
    // A host name that is known wins over the address.
    assert_eq!(table_of(&stage, two, Some(HOST)).await, "ep-one");
    // The shared address is as strict as ever.
    let mut nameless = tls(&stage, stage.front.address(), None).await;
    nameless
        .write_all(&startup(&[("user", USER)]))
        .await
        .unwrap();
    assert_eq!(
        refused(&mut nameless).await.get('M'),
        Some("Connection does not have SNI.")
    );
    stage.close().await;
}

#[tokio::test]
async fn by_a_port_of_its_own() {
    let stage = Stage::with(host_mode(HostMode::Port), None).await;
    let one = stage.front.expose(&stage.endpoint("ep-one")).await.unwrap();
    let two = stage.front.expose(&stage.endpoint("ep-two")).await.unwrap();
    assert_ne!(one.port(), two.port());
    // libpq sends `localhost` as the name.
    assert_eq!(table_of(&stage, one, Some("localhost")).await, "ep-one");
    assert_eq!(table_of(&stage, two, Some("localhost")).await, "ep-two");
    stage.close().await;
}

#[tokio::test]
async fn by_name_on_the_one_address() {
    let stage = Stage::open().await;
    let address = stage.front.address();
    assert_eq!(
        stage.front.expose(&stage.endpoint("ep-one")).await.unwrap(),
        address
    );
    // The case of a host name does not matter.
    assert_eq!(
        table_of(&stage, address, Some("EP-TWO.database.LOCALHOST")).await,
        "ep-two"
    );
    stage.close().await;
}
