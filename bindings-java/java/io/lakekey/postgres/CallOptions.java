package io.lakekey.postgres;

/** What every call can be told. */
public final class CallOptions extends Options<CallOptions> {
    /** The usual. */
    public CallOptions() {}
}
