package io.lakekey;

import java.time.Instant;
import java.util.Objects;

/**
 * lakekey's log, for a program that wants to see it. No record holds a secret.
 *
 * <p>Threads of lakekey never run code of yours. Records wait, the last 1024 of them, until a call of any client comes back;
 * then they are handed to the listener on that call's thread. Without a listener nothing is collected.
 */
public final class LakekeyLog {
    private LakekeyLog() {}

    /** How serious a record is. */
    public enum Level {
        /** What failed for good. */
        ERROR,
        /** What failed and is being tried again. */
        WARN,
        /** What happened. */
        INFO,
        /** Why it happened. */
        DEBUG
    }

    /**
     * One record.
     *
     * @param level how serious it is
     * @param at when it was written
     * @param source the part of lakekey that says it, such as {@code lakekey::credential}
     * @param text what it says
     */
    public record Record(Level level, Instant at, String source, String text) {}

    /** Gets records, one at a time. What it throws is ignored. */
    @FunctionalInterface
    public interface Listener {
        /**
         * Takes a record.
         *
         * @param record the record
         */
        void log(Record record);
    }

    /** Set on a thread that is inside of a listener. */
    private static final ThreadLocal<Boolean> TELLING = new ThreadLocal<>();

    private static volatile Listener listener;

    /**
     * Hands records to a listener from now on, instead of to the one before.
     *
     * @param level what is less serious is not collected
     * @param to the listener
     */
    public static void listen(Level level, Listener to) {
        Objects.requireNonNull(level, "level");
        NativeLibrary.load();
        listener = Objects.requireNonNull(to, "to");
        Native.collect(level.ordinal() + 1);
    }

    /** Ends the collecting of records. Harmless when nobody listens. */
    public static void stop() {
        if (listener != null) {
            listener = null;
            Native.collect(0);
        }
    }

    /** Gives what has come to the listener, on this thread. */
    static void handOver() {
        Listener to = listener;
        // A listener may call lakekey; what comes of that is given later.
        if (to == null || TELLING.get() != null) {
            return;
        }
        String[] texts = Native.drain();
        if (texts == null) {
            return;
        }
        long dropped = Long.parseLong(texts[0]);
        if (dropped > 0) {
            give(to, new Record(Level.WARN, Instant.now(), "lakekey", dropped + " records were thrown away"));
        }
        for (int i = 1; i < texts.length; i += 4) {
            Level level = Level.values()[Integer.parseInt(texts[i]) - 1];
            give(to, new Record(level, Instant.ofEpochMilli(Long.parseLong(texts[i + 1])), texts[i + 2], texts[i + 3]));
        }
    }

    private static void give(Listener to, Record record) {
        TELLING.set(true);
        try {
            to.log(record);
        } catch (RuntimeException | LinkageError | StackOverflowError ignored) {
            // A log must not end the call that it tells of.
        } finally {
            TELLING.remove();
        }
    }
}
