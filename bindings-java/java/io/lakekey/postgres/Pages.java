package io.lakekey.postgres;

import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A list of the service's, read page by page: the next page is under way while one is read. Each iteration asks anew; what
 * goes wrong with a page is thrown by {@link Iterator#hasNext}.
 *
 * @param <T> what is listed
 */
public final class Pages<T> implements Iterable<T> {
    private final Function<Object, Map<String, Object>> page;
    private final Object first;
    private final String items;
    private final Function<Map<String, Object>, T> kind;

    /** {@code page} gives the page of a token. */
    Pages(
            Function<Object, Map<String, Object>> page,
            Object first,
            String items,
            Function<Map<String, Object>, T> kind) {
        this.page = page;
        this.first = first;
        this.items = items;
        this.kind = kind;
    }

    @Override
    public Iterator<T> iterator() {
        return new Iterator<>() {
            private Iterator<?> read = List.of().iterator();
            private Object token = first;
            private boolean more = true;

            @Override
            public boolean hasNext() {
                // A page may be empty and have others behind it.
                while (!read.hasNext() && more) {
                    Map<String, Object> next = page.apply(token);
                    read = ((List<?>) Objects.requireNonNullElse(next.get(items), List.of())).iterator();
                    token = next.get("next_page_token");
                    more = token != null && !token.equals("");
                }
                return read.hasNext();
            }

            @Override
            public T next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                return kind.apply(Message.object(read.next()));
            }
        };
    }

    /** {@return all of them, as a stream that asks for a page when it is needed} */
    public Stream<T> stream() {
        int order = Spliterator.ORDERED | Spliterator.NONNULL;
        return StreamSupport.stream(() -> Spliterators.spliteratorUnknownSize(iterator(), order), order, false);
    }
}
