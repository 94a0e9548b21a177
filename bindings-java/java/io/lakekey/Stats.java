package io.lakekey;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * What was counted in this process since it began, over all clients. Nothing in it is secret.
 *
 * @param counters plain counts by name: {@code mints}, {@code refreshes}, {@code cache_hits}, {@code waits},
 *     {@code invalidations}, {@code login_attempts}, {@code logins}
 * @param labelled counts by a label, by name: {@code failures} and {@code mint_failures} by the slug of the error,
 *     {@code login_failures} by the {@linkplain Explanation#kind() kind} of trouble. What never happened is not there
 * @param histograms durations and ages by name: {@code mint_ms}, {@code wait_ms}, {@code connect_ms}, {@code token_age_s}; the
 *     name ends with the unit
 * @param clockSkew the workspace's clock minus this machine's, once an answer told it
 */
public record Stats(
        Map<String, Long> counters,
        Map<String, Map<String, Long>> labelled,
        Map<String, Histogram> histograms,
        Optional<Duration> clockSkew) {

    /**
     * Takes the maps over as they are.
     *
     * @param counters plain counts
     * @param labelled counts by a label
     * @param histograms durations and ages
     * @param clockSkew the workspace's clock minus this machine's
     */
    public Stats {
        counters = Map.copyOf(counters);
        labelled = Map.copyOf(labelled);
        histograms = Map.copyOf(histograms);
    }

    /**
     * {@return how often something happened}
     *
     * @param name such as {@code mints}
     * @throws IllegalArgumentException for a name that is not counted
     */
    public long count(String name) {
        return known(counters.get(name), name);
    }

    /**
     * {@return how often something happened}
     *
     * @param name such as {@code login_failures}
     * @param label which of them, such as {@code role_missing}
     * @throws IllegalArgumentException for a name that is not counted
     */
    public long count(String name, String label) {
        return known(labelled.get(name), name).getOrDefault(label, 0L);
    }

    private static <T> T known(T found, String name) {
        if (found == null) {
            throw new IllegalArgumentException("nothing is counted as '" + name + "' like that");
        }
        return found;
    }

    /** A distribution of values. */
    public static final class Histogram {
        private final long[] bounds;
        private final long[] counts;
        private final long count;
        private final long sum;

        private Histogram(long[] bounds, long[] counts, long count, long sum) {
            this.bounds = bounds;
            this.counts = counts;
            this.count = count;
            this.sum = sum;
        }

        /** {@return the upper bound of each bucket but the last, itself included} */
        public LongStream bounds() {
            return LongStream.of(bounds);
        }

        /** {@return how many values are in each bucket} */
        public LongStream counts() {
            return LongStream.of(counts);
        }

        /** {@return how many values there are} */
        public long count() {
            return count;
        }

        /** {@return what they add up to} */
        public long sum() {
            return sum;
        }

        /** {@return the buckets and the sum} */
        @Override
        public String toString() {
            String[] buckets = IntStream.range(0, counts.length)
                    .mapToObj(i -> (i < bounds.length ? "<=" + bounds[i] : "more") + ": " + counts[i])
                    .toArray(String[]::new);
            return "Histogram[" + String.join(", ", buckets) + ", sum=" + sum + "]";
        }
    }

    /** Gathers what the library tells. */
    static final class Taker {
        private final Map<String, Long> counters = new LinkedHashMap<>();
        private final Map<String, Map<String, Long>> labelled = new LinkedHashMap<>();
        private final Map<String, Histogram> histograms = new LinkedHashMap<>();
        private Duration clockSkew;

        /** {@code repeats}: credentials that were handed out again without the library. */
        Stats stats(long repeats) {
            counters.merge("cache_hits", repeats, Long::sum);
            labelled.replaceAll((name, counts) -> Collections.unmodifiableMap(counts));
            return new Stats(counters, labelled, histograms, Optional.ofNullable(clockSkew));
        }

        // Called by the library.

        void count(String name, String label, long value) {
            if (label == null) {
                counters.put(name, value);
                return;
            }
            Map<String, Long> counts = labelled.computeIfAbsent(name, unused -> new LinkedHashMap<>());
            if (!label.isEmpty()) {
                counts.put(label, value);
            }
        }

        void histogram(String name, long[] bounds, long[] counts, long count, long sum) {
            histograms.put(name, new Histogram(bounds, counts, count, sum));
        }

        void skew(long millis) {
            clockSkew = Duration.ofMillis(millis);
        }
    }
}
