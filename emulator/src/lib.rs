//! A local Lakebase: HTTP control plane, gateway and real Postgres clusters.
