//! What the front door asks of the state: which endpoint a host is, and who may log in to it.

use std::time::Duration;

use jiff::Timestamp;
use lakekey_gateway::{Disturbance, End, Moment, Refusal};

use super::model::{Branch, Role as KeptRole};
use super::spec::{AuthMethod, EndpointType};
use super::{DATABASE_AUDIENCE, Lakebase, Located, WORKSPACE_AUDIENCE, identity, names};
use crate::faults::{LoginStep, LoginTrouble};
use crate::front::directory::{
    ComputeState, Directory, Endpoint, LoginRefusal, MadeRole, Presented, Role, RoleLogin,
};
use crate::token::TokenRefusal;

impl Directory for Lakebase {
    fn endpoint_by_host(&self, host: &str) -> Option<Endpoint> {
        let (uid, pooled) = names::split_host(host)?;
        let all = self.view();
        all.endpoint_by_uid(uid)
            .filter(|at| is_reachable(*at))
            .map(|at| shown(at, pooled))
    }

    fn endpoint_by_uid(&self, uid: &str) -> Option<Endpoint> {
        let all = self.view();
        all.endpoint_by_uid(uid)
            .filter(|at| is_reachable(*at))
            .map(|at| shown(at, false))
    }

    fn external_refusal(&self, endpoint: &Endpoint) -> Option<Option<String>> {
        self.faults.external_refusal(&endpoint.uid, &endpoint.name)
    }

    fn disturbance(&self, moment: Moment) -> Option<Disturbance> {
        let step = match moment {
            Moment::Connected => LoginStep::Connected,
            Moment::TlsAsked => LoginStep::TlsAsked,
            Moment::Tls => LoginStep::Tls,
            Moment::Startup => LoginStep::Startup,
            Moment::Password => LoginStep::Password,
            Moment::Authenticated => LoginStep::Authenticated,
            Moment::Ready => LoginStep::Ready,
        };
        let (rule, how) = self.faults.login_trouble(step)?;
        let faults = self.faults.clone();
        let why = how.clone();
        let wait = async move {
            match why {
                LoginTrouble::Hang => faults.over(rule).await,
                LoginTrouble::Delay { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
                _ => {}
            }
        };
        let end = match &how {
            LoginTrouble::Delay { .. } => None,
            LoginTrouble::Reset => Some(End::Reset),
            LoginTrouble::Close | LoginTrouble::Hang => Some(End::Close),
            LoginTrouble::Error { code, message } => Some(End::Refuse(Refusal::Message {
                severity: "FATAL".to_owned(),
                code: code.clone(),
                message: message.clone(),
                detail: None,
            })),
        };
        Some(Disturbance {
            wait: Box::pin(wait),
            end,
        })
    }

    fn check_login(
        &self,
        endpoint: &Endpoint,
        role: &str,
        password: &str,
    ) -> Result<Option<Presented>, LoginRefusal> {
        let view = self.view();
        let at = view
            .endpoint_by_uid(&endpoint.uid)
            .ok_or(LoginRefusal::RoleMissing)?;
        let known = at
            .branch
            .role_named(role)
            .ok_or(LoginRefusal::RoleMissing)?;
        match known.spec.auth() {
            AuthMethod::Token if endpoint.pooled => Err(LoginRefusal::TokenOnPooler),
            AuthMethod::Token => self.check_token(role, password).map(Some),
            AuthMethod::Password if !at.project.spec.enable_pg_native_login => {
                Err(LoginRefusal::NativeLoginOff)
            }
            // Postgres keeps what is right, and it may have been changed in SQL.
            AuthMethod::Password | AuthMethod::NoLogin => Err(LoginRefusal::WrongPassword),
        }
    }

    fn logs_in_by_password(&self, endpoint: &Endpoint, role: &str) -> bool {
        let view = self.view();
        let Some(at) = view.endpoint_by_uid(&endpoint.uid) else {
            return false;
        };
        // A role that the control plane has not heard of may have been made in SQL.
        at.project.spec.enable_pg_native_login
            && at
                .branch
                .role_named(role)
                .is_none_or(|known| known.spec.auth() == AuthMethod::Password)
    }

    fn connection_limit(&self, endpoint: &Endpoint) -> Option<usize> {
        let view = self.view();
        let at = view.endpoint_by_uid(&endpoint.uid)?;
        Some(connections(at.endpoint.spec.autoscaling_limit_max_cu))
    }

    fn roles(&self, branch_uid: &str) -> Vec<Role> {
        self.view()
            .branch_by_uid(branch_uid)
            .map(|(_, branch)| {
                let initial = branch.roles.iter().filter(|role| role.initial);
                initial.map(login_role).collect()
            })
            .unwrap_or_default()
    }

    fn adopt_roles(&self, branch_uid: &str, made: &[MadeRole]) {
        self.adopt(branch_uid, made);
    }

    fn databases(&self, branch_uid: &str) -> Vec<(String, String)> {
        self.view()
            .branch_by_uid(branch_uid)
            .map(|(project, branch)| owned_databases(&branch.name(project), branch))
            .unwrap_or_default()
    }

    fn compute_changed(&self, endpoint_uid: &str, state: ComputeState) {
        let now = self.clock.now();
        self.set_compute(endpoint_uid, |compute| {
            compute.state = state;
            if matches!(state, ComputeState::Ready | ComputeState::Stopping) {
                compute.last_active = Some(now);
            }
        });
        self.journal.compute_changed(endpoint_uid, state);
    }

    fn login_seen(
        &self,
        endpoint_uid: Option<&str>,
        role: &str,
        end: Result<Option<&Presented>, (&str, &str)>,
    ) {
        self.journal.login(endpoint_uid, role, end);
    }
}

impl Lakebase {
    /// The endpoint, even if nobody may come to it yet, or any more.
    pub(crate) fn any_endpoint(&self, uid: &str) -> Option<Endpoint> {
        self.view().endpoint_by_uid(uid).map(|at| shown(at, false))
    }

    fn check_token(&self, role: &str, password: &str) -> Result<Presented, LoginRefusal> {
        let checked = self.clock.now();
        let claims = self
            .tokens
            .verify(password, checked)
            .map_err(|refusal| match refusal {
                TokenRefusal::NotAJwt => LoginRefusal::NotAJwt,
                TokenRefusal::Untrusted => LoginRefusal::Untrusted,
                TokenRefusal::Expired => LoginRefusal::Expired,
            })?;
        match claims.aud.as_str() {
            DATABASE_AUDIENCE => {}
            WORKSPACE_AUDIENCE => return Err(LoginRefusal::WorkspaceToken),
            _ => return Err(LoginRefusal::Untrusted),
        }
        let member = identity::by_user_name(&claims.sub)
            .is_some_and(|principal| principal.groups.contains(&role));
        if claims.sub == role || member {
            Ok(Presented {
                subject: claims.sub,
                expires: Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX),
                checked,
            })
        } else {
            Err(LoginRefusal::WrongIdentity)
        }
    }
}

/// Whether an endpoint is there for clients: made, and not deleted with its branch or project.
fn is_reachable(at: Located<'_>) -> bool {
    at.endpoint.ready && at.branch.deleted.is_none() && at.project.deleted.is_none()
}

fn shown(at: Located<'_>, pooled: bool) -> Endpoint {
    Endpoint {
        uid: at.endpoint.uid.clone(),
        name: at.name(),
        branch_uid: at.branch.uid.clone(),
        pg_version: at.project.spec.pg_version,
        disabled: at.endpoint.spec.disabled,
        read_only: at.endpoint.spec.endpoint_type == EndpointType::ReadOnly,
        pooled,
        suspend_after_ms: at
            .endpoint
            .spec
            .suspend_after_s()
            .map(|seconds| seconds.saturating_mul(1000)),
    }
}

fn login_role(role: &KeptRole) -> Role {
    Role {
        name: role.spec.postgres_role.clone(),
        login: match role.spec.auth() {
            AuthMethod::Token => RoleLogin::Token,
            AuthMethod::Password => RoleLogin::Password,
            AuthMethod::NoLogin => RoleLogin::None,
        },
        superuser: role.spec.superuser(),
    }
}

fn owned_databases(branch_name: &str, branch: &Branch) -> Vec<(String, String)> {
    let owner = |role: &str| {
        let id = role.strip_prefix(branch_name)?.strip_prefix("/roles/")?;
        Some(branch.role(id)?.spec.postgres_role.clone())
    };
    branch
        .databases
        .iter()
        .filter(|database| database.initial)
        .filter_map(|database| {
            let spec = &database.spec;
            Some((spec.postgres_database.clone(), owner(&spec.role)?))
        })
        .collect()
}

/// How many connections a compute of this size takes; sizes between two documented ones take what the smaller one does.
fn connections(cu: f64) -> usize {
    const DOCUMENTED: [(f64, usize); 6] = [
        (0.5, 104),
        (1.0, 209),
        (4.0, 839),
        (8.0, 1678),
        (16.0, 3357),
        (32.0, 4000),
    ];
    let fits = DOCUMENTED.iter().rev().find(|(size, _)| *size <= cu);
    fits.map_or(DOCUMENTED[0].1, |(_, connections)| *connections)
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn bigger_computes_take_more_connections() {
        for (cu, expected) in [
            (0.5, 104),
            (1.0, 209),
            (2.0, 209),
            (4.0, 839),
            (112.0, 4000),
        ] {
            assert_eq!(connections(cu), expected, "{cu}");
        }
    }
}
