//! Proxies: which requests go through one, and what is said when it does not work.

use lakekey::Code;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Authority, Server, answer, ok, read_head};
use crate::{fetch, transport};

/// A proxy that opens tunnels, all of them to `to`.
async fn tunnelling(to: &Server) -> Server {
    let to = to.address;
    Server::raw(move |mut stream, seen| async move {
        let head = read_head(&mut stream).await;
        seen.lock().unwrap().push(head);
        let mut target = TcpStream::connect(to).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
            .await
            .unwrap();
        let _ = copy_bidirectional(&mut stream, &mut target).await;
    })
    .await
}

#[tokio::test]
async fn https_is_tunnelled_with_the_proxys_login() {
    let authority = Authority::new();
    let workspace = Server::https(&authority, &["w.example.com"], |_| Some(ok("secure"))).await;
    let proxy = tunnelling(&workspace).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let variable = format!("http://user:planted@{}", proxy.address);
    let transport = transport(
        &[("ca_file", file.to_str().unwrap())],
        &[("HTTPS_PROXY", &variable)],
    );
    let response = fetch(&transport, "https://w.example.com/x").await.unwrap();
    assert_eq!(response.body, b"secure");
    let head = &proxy.seen()[0];
    assert!(
        head.starts_with("CONNECT w.example.com:443 HTTP/1.1"),
        "{head}"
    );
    assert!(
        head.to_lowercase()
            .contains("proxy-authorization: basic dxnlcjpwbgfudgvk"),
        "{head}"
    );
    assert!(
        !workspace.seen()[0]
            .to_lowercase()
            .contains("proxy-authorization")
    );
    assert!(!format!("{transport:?}").contains("planted"));
}

#[tokio::test]
async fn http_is_forwarded_and_loopback_is_not() {
    let proxy = Server::http(|_| Some(ok("by proxy"))).await;
    let here = Server::http(|_| Some(ok("directly"))).await;
    let variable = proxy.url("");
    let transport = transport(&[], &[("ALL_PROXY", &variable)]);
    let response = fetch(&transport, "http://w.example.com/x").await.unwrap();
    assert_eq!(response.body, b"by proxy");
    assert!(proxy.seen()[0].starts_with("GET http://w.example.com/x HTTP/1.1"));
    assert_eq!(
        fetch(&transport, &here.url("/")).await.unwrap().body,
        b"directly"
    );
}

#[tokio::test]
async fn no_proxy_goes_straight_there() {
    let proxy = Server::http(|_| Some(ok("by proxy"))).await;
    let env = [("http_proxy", &*proxy.url("")), ("no_proxy", ".invalid")];
    let error = fetch(&transport(&[], &env), "http://w.invalid/")
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Code::HttpDns,
        "nobody else knows that name: {error:?}"
    );
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_gone_is_named_without_its_password() {
    let login = Server::http(|_| Some(answer(407, "", ""))).await;
    let forbids = Server::http(|_| Some(answer(403, "", ""))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    for (proxy, url, hint) in [
        (login.address, "https://w.example.com/", "user:password@"),
        (login.address, "http://w.example.com/", "user:password@"),
        (forbids.address, "https://w.example.com/", "NO_PROXY"),
        (gone, "https://w.example.com/", "NO_PROXY"),
        (gone, "http://w.example.com/", "NO_PROXY"),
    ] {
        let variable = format!("http://user:planted@{proxy}");
        let error = fetch(&transport(&[], &[("ALL_PROXY", &variable)]), url)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::HttpProxy, "{error:?}");
        assert!(error.message().contains(&proxy.to_string()), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error}");
        assert!(
            !format!("{error} {error:?}").contains("planted"),
            "{error:?}"
        );
    }
}
