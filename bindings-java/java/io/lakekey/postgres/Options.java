package io.lakekey.postgres;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a call can be told besides what it must be told. */
abstract class Options<O extends Options<O>> {
    private final Map<String, Object> arguments = new LinkedHashMap<>();
    private Duration timeout;

    Options() {}

    /**
     * Bounds the wait for an answer.
     *
     * @param timeout to the millisecond; null for the client's usual
     * @return this
     */
    @SuppressWarnings("unchecked")
    public O timeout(Duration timeout) {
        this.timeout = timeout;
        return (O) this;
    }

    @SuppressWarnings("unchecked")
    O set(String argument, Object value) {
        if (value == null) {
            arguments.remove(argument);
        } else {
            arguments.put(argument, Message.wire(value));
        }
        return (O) this;
    }

    Duration timeout() {
        return timeout;
    }

    Map<String, Object> arguments() {
        return arguments;
    }
}
