//! Logins that go wrong on purpose: at each step a client gets exactly as far as the fault lets it; a shut door, and
//! certificates that nobody ought to accept.

use std::io;
use std::sync::Arc;

use lakekey_emulator::WrongCertificate;
use lakekey_gateway::{End, Moment, Refusal};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, Error as TlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{connect, message, password, startup, tcp, trusting};
use crate::stage::{HOST, Stage, TOKEN, USER};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How far a client gets: to the consent to TLS, through TLS, to the question for the password, in, to its key, to the end.
async fn reached(stage: &Stage) -> usize {
    let mut got = 0;
    let _: io::Result<()> = async {
        let mut tcp = tcp(stage.front.address()).await;
        tcp.write_all(&SSL_REQUEST).await?;
        if tcp.read_u8().await? != b'S' {
            return Ok(());
        }
        got += 1;
        let name = ServerName::try_from(HOST).unwrap();
        let connector = TlsConnector::from(Arc::new(trusting(stage)));
        let mut tls = connector.connect(name, tcp).await?;
        got += 1;
        tls.write_all(&startup(&[
            ("user", USER),
            ("database", "databricks_postgres"),
        ]))
        .await?;
        if message(&mut tls).await?.0 != b'R' {
            return Ok(());
        }
        got += 1;
        tls.write_all(&password(TOKEN)).await?;
        for wanted in [b'R', b'K', b'Z'] {
            loop {
                let (tag, _) = message(&mut tls).await?;
                if tag == b'E' {
                    return Ok(());
                }
                if tag == wanted {
                    break;
                }
            }
            got += 1;
        }
        Ok(())
    }
    .await;
    got
}

#[tokio::test]
async fn a_login_gets_as_far_as_its_disturbance_lets_it() {
    let stage = Stage::open().await;
    assert_eq!(reached(&stage).await, 6);
    let refusal = Refusal::Message {
        severity: "FATAL".to_owned(),
        code: "57P03".to_owned(),
        message: "the database system is starting up".to_owned(),
        detail: None,
    };
    for end in [End::Reset, End::Close, End::Refuse(refusal)] {
        for (moment, far) in [
            (Moment::Connected, 0),
            (Moment::TlsAsked, 0),
            (Moment::Tls, 1),
            (Moment::Startup, 2),
            (Moment::Password, 3),
            (Moment::Authenticated, 4),
            (Moment::Ready, 5),
        ] {
            *stage.plane.disturbed.lock().unwrap() = Some((moment, end.clone()));
            assert_eq!(reached(&stage).await, far, "{moment:?} {end:?}");
        }
    }
    *stage.plane.disturbed.lock().unwrap() = None;
    assert_eq!(reached(&stage).await, 6);
    stage.close().await;
}

#[tokio::test]
async fn a_shut_door_refuses_connections_and_ends_sessions_until_it_opens() {
    let stage = Stage::open().await;
    let session = connect(&stage).await.unwrap();
    stage.front.shut().await.unwrap();
    stage.front.shut().await.unwrap();
    assert!(session.end_code().await.is_none());
    let refused = TcpStream::connect(stage.front.address()).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    stage.front.open().unwrap();
    stage.front.open().unwrap();
    assert_eq!(connect(&stage).await.unwrap().one("select 1").await, "1");
    stage.close().await;
}

#[tokio::test]
async fn a_wrong_certificate_is_wrong_in_the_way_that_was_asked_for() {
    let stage = Stage::open().await;
    let said = async || {
        let mut tcp = tcp(stage.front.address()).await;
        tcp.write_all(&SSL_REQUEST).await.unwrap();
        assert_eq!(tcp.read_u8().await.unwrap(), b'S');
        let name = ServerName::try_from(HOST).unwrap();
        let connector = TlsConnector::from(Arc::new(trusting(&stage)));
        let error = connector.connect(name, tcp).await.err()?;
        let error = error.get_ref()?.downcast_ref::<TlsError>()?.clone();
        Some(match error {
            TlsError::InvalidCertificate(CertificateError::ExpiredContext { .. }) => "expired",
            TlsError::InvalidCertificate(CertificateError::NotValidYetContext { .. }) => "early",
            TlsError::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) => "name",
            TlsError::InvalidCertificate(_) => "authority",
            _ => "else",
        })
    };
    for (wrong, what) in [
        (WrongCertificate::Expired, "expired"),
        (WrongCertificate::NotYetValid, "early"),
        (WrongCertificate::WrongName, "name"),
        (WrongCertificate::UnknownAuthority, "authority"),
    ] {
        stage.certificates.show(Some(wrong)).unwrap();
        assert_eq!(said().await, Some(what));
    }
    stage.certificates.show(None).unwrap();
    assert_eq!(said().await, None);
    // The file that the client reads has the new authority.
    stage.certificates.rotate().unwrap();
    assert_eq!(said().await, None);
    stage.close().await;
}
