package io.lakekey.postgres;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * Where an unfinished operation is.
 *
 * @param name its name
 * @param waited for how long it has been waited for
 * @param metadata what the service says of it
 */
public record Progress(String name, Duration waited, Optional<Map<String, Object>> metadata) {
    static Progress of(String told) {
        Map<String, Object> json = Json.object(told);
        return new Progress(
                (String) json.get("name"),
                Duration.ofMillis(((Number) json.get("waited_ms")).longValue()),
                Optional.ofNullable(json.get("metadata")).map(Message::object));
    }
}
