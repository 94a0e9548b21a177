//! What every language binding of lakekey needs once: runtime, fork, cancel, panic guard, plain structs.
