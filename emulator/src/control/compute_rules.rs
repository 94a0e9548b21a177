//! What sizes, groups and suspension of a compute may be.

use super::answer::ApiError;
use crate::state::spec::{EndpointSpec, Group, Seconds};

const SMALLEST_CU: f64 = 0.5;
const LARGEST_CU: f64 = 64.0;
const WIDEST_CU: f64 = 16.0;
const SUSPEND_S: std::ops::RangeInclusive<i64> = 60..=604_800;

pub(super) fn check_endpoint(spec: &EndpointSpec, path: &str) -> Result<(), ApiError> {
    check_limits(
        spec.autoscaling_limit_min_cu,
        spec.autoscaling_limit_max_cu,
        path,
    )?;
    check_suspension(spec.suspend_timeout_duration, spec.no_suspension, path)?;
    check_group(spec.group, spec.no_suspension == Some(true), path)
}

pub(super) fn check_limits(min: f64, max: f64, path: &str) -> Result<(), ApiError> {
    let (low, high) = ("autoscaling_limit_min_cu", "autoscaling_limit_max_cu");
    if min < SMALLEST_CU {
        return Err(ApiError::invalid(format!(
            "Field '{path}.{low}' must be at least {SMALLEST_CU}, got {min}."
        )));
    }
    if max > LARGEST_CU {
        return Err(ApiError::invalid(format!(
            "Field '{path}.{high}' must be at most {LARGEST_CU}, got {max}."
        )));
    }
    if min > max {
        return Err(ApiError::invalid(format!(
            "Field '{path}.{low}' must not be above {high}, got {min} and {max}."
        )));
    }
    if max - min > WIDEST_CU {
        return Err(ApiError::invalid(format!(
            "Field '{path}.{high}' must be at most {WIDEST_CU} above {low}, got {min} and {max}."
        )));
    }
    Ok(())
}

pub(super) fn check_suspension(
    after: Option<Seconds>,
    never: Option<bool>,
    path: &str,
) -> Result<(), ApiError> {
    if let Some(Seconds(after)) = after
        && !SUSPEND_S.contains(&after)
    {
        return Err(ApiError::invalid(format!(
            "Field '{path}.suspend_timeout_duration' must be between {}s and {}s, got {after}s.",
            SUSPEND_S.start(),
            SUSPEND_S.end()
        )));
    }
    if never == Some(false) {
        return Err(ApiError::invalid(format!(
            "Field '{path}.no_suspension' can only be true; give suspend_timeout_duration instead."
        )));
    }
    Ok(())
}

fn check_group(group: Group, never_suspended: bool, path: &str) -> Result<(), ApiError> {
    if group.min < 1 || group.min != group.max {
        return Err(ApiError::invalid(format!(
            "Field '{path}.group': min and max must be the same number, at least 1, got {} and {}.",
            group.min, group.max
        )));
    }
    if group.min > 1 && !never_suspended {
        return Err(ApiError::invalid(format!(
            "Field '{path}.group': a group of {} computes needs no_suspension.",
            group.min
        )));
    }
    Ok(())
}
