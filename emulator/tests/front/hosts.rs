//! How clients find an endpoint that cannot resolve names below `localhost`.

use std::net::IpAddr;

use lakekey_emulator::HostMode;
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

#[tokio::test]
async fn by_an_address_of_its_own() {
    let stage = Stage::with(host_mode(HostMode::Ip), None).await;
    let one = stage.front.expose(&stage.endpoint("ep-one")).await.unwrap();
    let two = stage.front.expose(&stage.endpoint("ep-two")).await.unwrap();
    assert_ne!(one.ip(), two.ip());
    assert_eq!(one.port(), stage.front.address().port());
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
