//! Sockets: answers, silence, broken connections, redirects.

use std::time::{Duration, Instant};

use http::HeaderValue;
use lakekey::Code;
use lakekey::http::transport::Transport;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::server::{Server, answer, ok, read_head};
use crate::{fetch, get, transport};

#[tokio::test]
async fn an_answer_arrives_whole() {
    let server = Server::http(|_| Some(answer(418, "x-a: 1\r\n", "short and stout"))).await;
    let transport = transport(&[], &[]);
    let response = fetch(&transport, &server.url("/pot?x=1")).await.unwrap();
    assert_eq!(
        (response.status, &*response.body),
        (418, &b"short and stout"[..])
    );
    assert_eq!(response.headers["x-a"], "1");
    assert!(server.seen()[0].starts_with("GET /pot?x=1 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_loopback_http_host_needs_no_certificates() {
    let server = Server::http(|_| Some(ok("{}"))).await;
    let transport = transport(&[], &[("SSL_CERT_FILE", "/nowhere/at/all.pem")]);
    fetch(&transport, &server.url("/")).await.unwrap();
}

#[tokio::test]
async fn silence_ends_with_the_time_allowed() {
    let server = Server::raw(|mut stream, _| async move {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let half = Server::raw(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab")
            .await;
        std::future::pending::<()>().await;
    })
    .await;
    for server in [server, half] {
        let started = Instant::now();
        let request = get(&server.url("/"));
        let error = transport(&[], &[])
            .send(request, Duration::from_millis(200))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::HttpTimeout);
        assert!(
            error.message().contains(&server.address.to_string()),
            "{error}"
        );
        assert!(error.message().contains("200 ms"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_refused_connection_names_host_and_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = fetch(&transport(&[], &[]), &format!("http://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::HttpConnect);
    assert!(error.message().contains(&address.to_string()), "{error}");
    assert!(
        error.message().to_lowercase().contains("refused"),
        "{error}"
    );
    assert!(error.hint().is_some() && !error.causes().is_empty());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_from_a_host_that_does_not_answer() {
    let error = fetch(&transport(&[], &[]), "http://nowhere.invalid/")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::HttpDns, "{error:?}");
    assert!(error.message().contains("nowhere.invalid"), "{error}");
}

#[tokio::test]
async fn connections_that_break_off() {
    let closing = Server::http(|_| None).await;
    let cut = Server::raw(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nab")
            .await;
    })
    .await;
    // Closed with unread data: the kernel sends a reset.
    let reset = Server::raw(|stream, _| async move { stream.readable().await.unwrap() }).await;
    for server in [closing, cut, reset] {
        let error = fetch(&transport(&[], &[]), &server.url("/"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::HttpConnect, "{error:?}");
        assert!(
            error.message().contains(&server.address.to_string()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    ] {
        let server = Server::http(move |_| Some(garbage.to_owned())).await;
        let error = fetch(&transport(&[], &[]), &server.url("/"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::HttpProtocol, "{garbage:?}: {error:?}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut() {
    let server = Server::raw(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let error = fetch(&transport(&[], &[]), &server.url("/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::HttpProtocol);
    assert!(error.message().contains("8 MiB"), "{error}");
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked_and_take_no_credentials_elsewhere() {
    let other = Server::http(|_| Some(ok("there"))).await;
    let target = other.url("/target");
    let server = Server::http(move |head| {
        Some(if head.starts_with("GET /same ") {
            answer(302, "location: /next\r\n", "")
        } else if head.starts_with("GET /circle ") {
            answer(302, "location: /circle\r\n", "")
        } else {
            answer(302, &format!("location: {target}\r\n"), "")
        })
    })
    .await;
    let transport = transport(&[], &[]);
    assert_eq!(
        fetch(&transport, &server.url("/away"))
            .await
            .unwrap()
            .status,
        302
    );
    assert!(other.seen().is_empty());

    let following = |path: &str| {
        let mut request = get(&server.url(path));
        request.follow_redirects = true;
        for (name, value) in [
            ("authorization", "Bearer planted"),
            ("x-databricks-workspace-id", "7"),
            ("x-kept", "1"),
        ] {
            request
                .headers
                .insert(name, HeaderValue::from_static(value));
        }
        transport.send(request, Duration::from_secs(20))
    };
    assert_eq!(following("/same").await.unwrap().body, b"there");
    let near = &server.seen()[2];
    assert!(
        near.starts_with("GET /next ") && near.contains("planted"),
        "the same origin keeps them"
    );
    let far = other.seen().pop().unwrap();
    assert!(far.contains("x-kept: 1"), "{far}");
    assert!(
        !far.contains("planted") && !far.contains("workspace-id"),
        "{far}"
    );

    let error = following("/circle").await.unwrap_err();
    assert_eq!(error.code(), Code::HttpProtocol);
    assert!(error.message().contains("in a circle"), "{error}");
}
