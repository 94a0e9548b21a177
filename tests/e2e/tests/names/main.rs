//! The client's way to an address, against a name server that does what name servers do wrong.
//!
//! The hosts are below `lakekey.test`, which this machine's own resolver cannot know: whatever is found was found by
//! asking the emulator's name server directly.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lakekey::clock::{Clock, ManualClock, SystemClock};
use lakekey::config::Environment;
use lakekey::credential::Store;
use lakekey::jitter::FixedDice;
use lakekey::{Client, ClientOptions, Code, ConnectRequest, Error};
use lakekey_emulator::{DnsAnswer, DnsRule, Emulator, HostMode, Options, TOKEN, USER};

struct Stage {
    emulator: Emulator,
    host: String,
    clock: ManualClock,
    client: Client,
}

/// The clock of the client stands still, so its own time limits never strike; those of the look-up are real.
async fn stage() -> Stage {
    let mut options = Options::control_plane_only();
    options.host_mode = HostMode::Dns;
    let emulator = Emulator::start(options).await.unwrap();
    let host = format!("{}.database.lakekey.test", emulator.endpoint_uid());
    let clock = ManualClock::at(SystemClock.now().wall_ms);
    let name_server = emulator.name_server().unwrap().to_string();
    let client = Client::new(ClientOptions {
        environment: Environment::from_pairs([
            ("DATABRICKS_HOST", emulator.urls().control.as_str()),
            ("DATABRICKS_TOKEN", TOKEN),
            ("LAKEBASE_ENDPOINT", emulator.endpoint().as_str()),
            ("LAKEKEY_NAMESERVERS", name_server.as_str()),
            ("PGHOST", host.as_str()),
            ("PGUSER", USER),
        ]),
        store: Store::new(Arc::new(clock.clone()), Arc::new(FixedDice(0.5))),
        ..ClientOptions::default()
    });
    Stage {
        client: client.unwrap(),
        emulator,
        host,
        clock,
    }
}

impl Stage {
    fn answer(&self, answer: DnsAnswer, ttl_s: u32, times: Option<u64>) {
        let name = Some(self.host.clone());
        let rule = DnsRule {
            name,
            answer,
            ttl_s,
            times,
        };
        self.emulator.dns_rule(rule).unwrap();
    }

    async fn addresses(&self) -> Result<Vec<String>, Error> {
        let request = ConnectRequest {
            without_password: true,
            ..ConnectRequest::default()
        };
        let connect = self.client.connect_params(&request).await?;
        // Each address goes with the name, which is what TLS verifies.
        let hosts = connect.params.host().unwrap_or_default().split(',');
        assert!(hosts.into_iter().all(|host| host == self.host));
        Ok(connect
            .params
            .hostaddr()
            .iter()
            .map(ToString::to_string)
            .collect())
    }
}

fn addresses(list: &[&str]) -> DnsAnswer {
    DnsAnswer::Addresses(
        list.iter()
            .map(|text| text.parse::<IpAddr>().unwrap())
            .collect(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_the_system_does_not_know_is_asked_for_directly() {
    let stage = stage().await;
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_addresses_of_both_families_come() {
    let stage = stage().await;
    stage.answer(addresses(&["127.0.0.3", "::1", "127.0.0.2"]), 30, None);
    assert_eq!(
        stage.addresses().await.unwrap(),
        ["127.0.0.3", "127.0.0.2", "::1"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_with_ipv6_only_and_an_alias_are_followed() {
    let stage = stage().await;
    stage.answer(addresses(&["::1"]), 30, None);
    assert_eq!(stage.addresses().await.unwrap(), ["::1"]);

    let long = format!("{0}.{0}.{0}.lakekey.test", "a".repeat(63));
    stage.answer(DnsAnswer::Alias(long.clone()), 30, None);
    let behind = DnsRule {
        name: Some(long),
        answer: addresses(&["127.0.0.9"]),
        ttl_s: 30,
        times: None,
    };
    stage.emulator.dns_rule(behind).unwrap();
    stage.clock.advance(Duration::from_secs(31));
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.9"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_fit_is_asked_for_by_tcp() {
    let stage = stage().await;
    stage.answer(DnsAnswer::Truncate, 30, None);
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_once_is_asked_again() {
    let stage = stage().await;
    stage.answer(DnsAnswer::Timeout, 30, Some(2));
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_names_the_host_the_server_and_what_it_said() {
    for (answer, said) in [
        (DnsAnswer::Nxdomain, "NXDOMAIN"),
        (DnsAnswer::Servfail, "SERVFAIL"),
        (DnsAnswer::Refused, "REFUSED"),
        (DnsAnswer::Timeout, "did not answer in time"),
        (DnsAnswer::Addresses(Vec::new()), "no address of it"),
    ] {
        let stage = stage().await;
        stage.answer(answer, 30, None);
        let error = stage.addresses().await.unwrap_err();
        assert_eq!(error.code(), Code::ResolveFailed, "{said}: {error}");
        let server = stage.emulator.name_server().unwrap().to_string();
        for part in [stage.host.as_str(), server.as_str(), said] {
            assert!(error.message().contains(part), "{part}: {error}");
        }
        assert!(error.hint().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_address_is_seen_when_the_answer_is_over() {
    let stage = stage().await;
    stage.answer(addresses(&["127.0.0.2"]), 10, None);
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.2"]);
    stage.answer(addresses(&["127.0.0.3"]), 10, None);
    stage.clock.advance(Duration::from_secs(9));
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.2"]);
    stage.clock.advance(Duration::from_secs(2));
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_cannot_be_dialled_comes_last_and_the_name_is_asked_for_again() {
    let stage = stage().await;
    let both = addresses(&["127.0.0.2", "127.0.0.3"]);
    stage.answer(both, 86_400, None);
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.2", "127.0.0.3"]);
    stage
        .client
        .doubt_address(&stage.host, "127.0.0.2".parse().unwrap());
    let three = addresses(&["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    stage.answer(three, 86_400, None);
    assert_eq!(
        stage.addresses().await.unwrap(),
        ["127.0.0.3", "127.0.0.4", "127.0.0.2"]
    );
    stage.clock.advance(Duration::from_secs(31));
    assert_eq!(
        stage.addresses().await.unwrap(),
        ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_dns_is_bridged_by_the_last_answer() {
    let stage = stage().await;
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.1"]);
    stage.answer(DnsAnswer::Servfail, 30, None);
    stage.clock.advance(Duration::from_mins(10));
    assert_eq!(stage.addresses().await.unwrap(), ["127.0.0.1"]);
}
