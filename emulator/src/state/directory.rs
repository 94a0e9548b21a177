//! What the front door asks of the state: which endpoint a host is, and who may log in to it.

use super::identity;
use super::model::{AuthMethod, Branch, Role as KeptRole};
use super::{Compute, DATABASE_AUDIENCE, Lakebase, Located, WORKSPACE_AUDIENCE, names};
use crate::front::directory::{
    ComputeState, Directory, Endpoint, LoginRefusal, MadeRole, Role, RoleLogin,
};
use crate::token::TokenRefusal;

impl Directory for Lakebase {
    fn endpoint_by_host(&self, host: &str) -> Option<Endpoint> {
        let (uid, pooled) = names::split_host(host)?;
        self.view().endpoint_by_uid(uid).map(|at| shown(at, pooled))
    }

    fn endpoint_by_uid(&self, uid: &str) -> Option<Endpoint> {
        self.view().endpoint_by_uid(uid).map(|at| shown(at, false))
    }

    fn external_refusal(&self, endpoint: &Endpoint) -> Option<Option<String>> {
        self.faults.external_refusal(&endpoint.uid, &endpoint.name)
    }

    fn check_login(
        &self,
        endpoint: &Endpoint,
        role: &str,
        password: &str,
    ) -> Result<(), LoginRefusal> {
        let view = self.view();
        let at = view
            .endpoint_by_uid(&endpoint.uid)
            .ok_or(LoginRefusal::RoleMissing)?;
        let known = at
            .branch
            .role_named(role)
            .ok_or(LoginRefusal::RoleMissing)?;
        match known.spec.auth_method {
            AuthMethod::Token if endpoint.pooled => Err(LoginRefusal::TokenOnPooler),
            AuthMethod::Token => self.check_token(role, password),
            AuthMethod::Password if !at.project.spec.enable_pg_native_login => {
                Err(LoginRefusal::NativeLoginOff)
            }
            // This version keeps no native passwords, so no password is the right one.
            AuthMethod::Password | AuthMethod::NoLogin => Err(LoginRefusal::WrongPassword),
        }
    }

    fn roles(&self, branch_uid: &str) -> Vec<Role> {
        self.view()
            .branch_by_uid(branch_uid)
            .map(|branch| branch.roles.iter().map(login_role).collect())
            .unwrap_or_default()
    }

    fn adopt_roles(&self, branch_uid: &str, made: &[MadeRole]) {
        self.adopt(branch_uid, made);
    }

    fn databases(&self, branch_uid: &str) -> Vec<(String, String)> {
        self.view()
            .branch_by_uid(branch_uid)
            .map(owned_databases)
            .unwrap_or_default()
    }

    fn compute_changed(&self, endpoint_uid: &str, state: ComputeState) {
        let now = self.clock.now();
        {
            let mut resources = self.write();
            let unseen = Compute {
                state: ComputeState::Suspended,
                last_active: None,
            };
            let compute = resources
                .computes
                .entry(endpoint_uid.to_owned())
                .or_insert(unseen);
            compute.state = state;
            if matches!(state, ComputeState::Ready | ComputeState::Stopping) {
                compute.last_active = Some(now);
            }
        }
        self.journal.compute_changed(endpoint_uid, state);
    }

    fn login_seen(&self, endpoint_uid: Option<&str>, role: &str, refusal: Option<(&str, &str)>) {
        self.journal.login(endpoint_uid, role, refusal);
    }
}

impl Lakebase {
    fn check_token(&self, role: &str, password: &str) -> Result<(), LoginRefusal> {
        let claims =
            self.tokens
                .verify(password, self.clock.now())
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
            Ok(())
        } else {
            Err(LoginRefusal::WrongIdentity)
        }
    }
}

fn shown(at: Located<'_>, pooled: bool) -> Endpoint {
    Endpoint {
        uid: at.endpoint.uid.clone(),
        name: at.name(),
        branch_uid: at.branch.uid.clone(),
        pg_version: at.project.spec.pg_version,
        disabled: at.endpoint.spec.disabled,
        pooled,
        suspend_after_ms: at
            .endpoint
            .spec
            .suspend_after_s
            .map(|seconds| seconds.saturating_mul(1000)),
    }
}

fn login_role(role: &KeptRole) -> Role {
    Role {
        name: role.spec.postgres_role.clone(),
        login: match role.spec.auth_method {
            AuthMethod::Token => RoleLogin::Token,
            AuthMethod::Password => RoleLogin::Password,
            AuthMethod::NoLogin => RoleLogin::None,
        },
        superuser: role.spec.superuser,
    }
}

fn owned_databases(branch: &Branch) -> Vec<(String, String)> {
    let owner = |role_id: &str| {
        branch
            .roles
            .iter()
            .find(|role| role.id == role_id)
            .map(|role| role.spec.postgres_role.clone())
    };
    branch
        .databases
        .iter()
        .filter_map(|database| Some((database.in_postgres.clone(), owner(&database.role_id)?)))
        .collect()
}
