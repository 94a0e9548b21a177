package io.lakekey.postgres;

import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * A message of the API: a view of the JSON that the service sent, or that a builder made. It cannot be changed.
 *
 * <p>Any field may be absent. A field is converted when it is asked for, so one in an odd form harms nobody who does not ask;
 * who does gets an {@link IllegalStateException} that names it. What this version does not know stays in {@link #json} and goes
 * back with {@code toBuilder()}.
 */
public abstract class Message {
    private static final Pattern DURATION = Pattern.compile("-?\\d{1,12}(\\.\\d{1,9})?s");
    private static final long NANOS = 1_000_000_000;

    private final Map<String, Object> json;

    Message(Map<String, Object> json) {
        this.json = json;
    }

    /** {@return the JSON as maps, lists, texts, numbers and booleans, with what this version does not know} */
    public final Map<String, Object> json() {
        return json;
    }

    /** {@return the JSON as a text, secrets included} */
    public final String toJson() {
        return Json.text(json);
    }

    /** The fields that are not to be shown. */
    Set<String> secrets() {
        return Set.of();
    }

    final Optional<String> text(String field) {
        return read(field, String.class::cast, "text");
    }

    final Optional<Boolean> flag(String field) {
        return read(field, Boolean.class::cast, "boolean");
    }

    final Optional<Long> integer(String field) {
        return read(field, value -> value instanceof String text ? Long.parseLong(text) : exact(value), "64 bit integer");
    }

    final Optional<Double> number(String field) {
        return read(field, value -> ((Number) value).doubleValue(), "number");
    }

    final Optional<Instant> timestamp(String field) {
        return read(field, value -> Instant.parse((String) value), "RFC 3339 timestamp");
    }

    final Optional<Duration> duration(String field) {
        return read(field, value -> seconds((String) value), "duration such as \"600s\"");
    }

    final <E extends Enum<E>> Optional<E> named(String field, Class<E> kind) {
        return read(field, value -> constant((String) value, kind), "text");
    }

    final <M extends Message> Optional<M> message(String field, Function<Map<String, Object>, M> kind) {
        return read(field, value -> kind.apply(object(value)), "object");
    }

    final Optional<Map<String, Object>> any(String field) {
        return read(field, Message::object, "object");
    }

    final Optional<Map<String, String>> texts(String field) {
        return read(field, value -> Collections.unmodifiableMap(cast(object(value))), "object of texts");
    }

    final <T> Optional<List<T>> list(String field, Function<Object, T> item) {
        return read(field, value -> ((List<?>) value).stream().map(item).toList(), "list of these");
    }

    private <T> Optional<T> read(String field, Function<Object, T> convert, String form) {
        Object value = json.get(field);
        try {
            return value == null ? Optional.empty() : Optional.of(convert.apply(value));
        } catch (ClassCastException | ArithmeticException | IllegalArgumentException | DateTimeParseException odd) {
            // Without the value, and without the cause, which has it.
            throw new IllegalStateException(getClass().getSimpleName() + "." + field + " is no " + form);
        }
    }

    static String string(Object item) {
        return (String) item;
    }

    static <E extends Enum<E>> E constant(String value, Class<E> kind) {
        try {
            return Enum.valueOf(kind, value);
        } catch (IllegalArgumentException newer) {
            return Enum.valueOf(kind, "UNRECOGNIZED");
        }
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        return (Map<String, Object>) value;
    }

    private static Map<String, String> cast(Map<String, Object> object) {
        Map<String, String> texts = new LinkedHashMap<>();
        object.forEach((name, value) -> texts.put(name, (String) value));
        return texts;
    }

    private static long exact(Object value) {
        return new java.math.BigDecimal(value.toString()).longValueExact();
    }

    private static Duration seconds(String text) {
        if (!DURATION.matcher(text).matches()) {
            throw new IllegalArgumentException();
        }
        java.math.BigDecimal seconds = new java.math.BigDecimal(text.substring(0, text.length() - 1));
        return Duration.ofSeconds(0).plusSeconds(seconds.longValue()).plusNanos(seconds
                .remainder(java.math.BigDecimal.ONE)
                .movePointRight(9)
                .longValueExact());
    }

    /** {@return a duration as the API has it: seconds and an {@code s}} */
    static String wire(Duration duration) {
        java.math.BigDecimal seconds = java.math.BigDecimal.valueOf(duration.getNano())
                .divide(java.math.BigDecimal.valueOf(NANOS))
                .add(java.math.BigDecimal.valueOf(duration.getSeconds()));
        return (seconds.signum() == 0 ? "0" : seconds.stripTrailingZeros().toPlainString()) + "s";
    }

    /** {@return a value of a setter as JSON} */
    static Object wire(Object value) {
        if (value instanceof Message message) {
            return message.json;
        }
        if (value instanceof Instant instant) {
            return instant.toString();
        }
        if (value instanceof Duration duration) {
            return wire(duration);
        }
        if (value instanceof Enum<?> constant) {
            if (constant.name().equals("UNRECOGNIZED")) {
                throw new IllegalArgumentException("UNRECOGNIZED has no text: give that by set(field, text)");
            }
            return constant.name();
        }
        if (value instanceof Collection<?> list) {
            List<Object> wire = new ArrayList<>();
            list.forEach(item -> wire.add(wire(item)));
            return Collections.unmodifiableList(wire);
        }
        return Json.copy(value);
    }

    @Override
    public final boolean equals(Object other) {
        return other != null && getClass() == other.getClass() && json.equals(((Message) other).json);
    }

    @Override
    public final int hashCode() {
        return json.hashCode();
    }

    /** {@return the message without what is secret in it} */
    @Override
    public final String toString() {
        Map<String, Object> shown = new LinkedHashMap<>(json);
        secrets().forEach(field -> shown.computeIfPresent(field, (name, value) -> "***"));
        return getClass().getSimpleName() + Json.text(shown);
    }

    /**
     * Makes a message.
     *
     * @param <B> the builder itself
     */
    public abstract static class Builder<B extends Builder<B>> {
        private final Map<String, Object> json;

        Builder(Map<String, Object> json) {
            this.json = new LinkedHashMap<>(json);
        }

        /**
         * Sets a field by its name in the API: for what this version does not know.
         *
         * @param field such as {@code display_name}
         * @param value JSON: a text, a number, a boolean, a map, a list of these; null to leave the field out
         * @return this
         */
        @SuppressWarnings("unchecked")
        public B set(String field, Object value) {
            if (value == null) {
                json.remove(field);
            } else {
                json.put(field, wire(value));
            }
            return (B) this;
        }

        /** Sets a member of a oneof; what is null leaves the others as they are. */
        B only(String field, Object value, String... others) {
            if (value != null) {
                for (String other : others) {
                    json.remove(other);
                }
            }
            return set(field, value);
        }

        Map<String, Object> built() {
            return Collections.unmodifiableMap(new LinkedHashMap<>(json));
        }
    }
}
