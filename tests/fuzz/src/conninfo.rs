//! Connection strings.

use lakekey::conn::{Keyword, Params, WithPassword};

use crate::PLANTED;

/// A string is refused, or it means the same after it was written in either of libpq's forms and read again. Neither the
/// refusal nor what is written for people shows the password.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let params = match Params::parse(text) {
        Ok(params) => params,
        Err(error) => {
            assert!(!error.message().is_empty());
            return;
        }
    };
    for written in [
        params.to_keyword(WithPassword::Yes),
        params.to_uri(WithPassword::Yes),
    ] {
        let again = Params::parse(&written).map(usual_ports);
        assert_eq!(
            again.ok(),
            Some(usual_ports(params.clone())),
            "{text:?} -> {written:?}"
        );
    }
    // Without the password, what is written does not depend on it. To look for it there would be wrong: it may be another
    // value as well, which is written in yet another way.
    if params.password().is_some() {
        let shown = |params: &Params| format!("{params:?}{}", params.to_keyword(WithPassword::No));
        let mut other = params.clone();
        other.set_password(PLANTED.into()).expect("a password");
        assert_eq!(shown(&params), shown(&other));
    }
}

/// A list of ports that names none says what no list says; libpq makes one of each URI with several hosts.
fn usual_ports(mut params: Params) -> Params {
    if params
        .port_list()
        .is_some_and(|list| list.trim_matches(',').is_empty())
    {
        params.unset(Keyword::Port);
    }
    params
}
