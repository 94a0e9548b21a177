package io.lakekey.postgres;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON as plain objects: maps, lists, texts, {@link Long}s, other {@link Number}s, booleans and null. A library for it would
 * be larger than the rest of the jar's Java, and every application has one of another version already.
 */
final class Json {
    /** As deep as the library itself reads. */
    private static final int DEEPEST = 128;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** {@return the object that a text is; it cannot be changed} */
    @SuppressWarnings("unchecked")
    static Map<String, Object> object(String text) {
        Json json = new Json(text);
        Object value = json.value(0);
        json.blanks();
        if (json.at < text.length()) {
            throw json.wrong("the end");
        }
        if (value instanceof Map) {
            return (Map<String, Object>) value;
        }
        throw new IllegalArgumentException("a JSON object is needed");
    }

    /** {@return the text of a value} */
    static String text(Object value) {
        StringBuilder out = new StringBuilder();
        write(out, value);
        return out.toString();
    }

    /** {@return the same value, which nobody else can change} */
    static Object copy(Object value) {
        return copy(value, 0);
    }

    private static Object copy(Object value, int depth) {
        if (depth > DEEPEST) {
            throw new IllegalArgumentException("JSON is nested deeper than " + DEEPEST + " levels");
        }
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> copied = new LinkedHashMap<>();
            map.forEach((name, one) -> {
                if (!(name instanceof String)) {
                    throw new IllegalArgumentException("the names of a JSON object are texts");
                }
                copied.put((String) name, copy(one, depth + 1));
            });
            return Collections.unmodifiableMap(copied);
        }
        if (value instanceof Collection<?> list) {
            List<Object> copied = new ArrayList<>(list.size());
            list.forEach(one -> copied.add(copy(one, depth + 1)));
            return Collections.unmodifiableList(copied);
        }
        if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
            return ((Number) value).longValue();
        }
        if (value instanceof Double || value instanceof Float) {
            return number(((Number) value).doubleValue());
        }
        if (value == null
                || value instanceof String
                || value instanceof Boolean
                || value instanceof Long
                || value instanceof BigInteger
                || value instanceof BigDecimal) {
            return value;
        }
        throw new IllegalArgumentException(value.getClass().getName() + " is no JSON");
    }

    /** {@return how a number stands in JSON} */
    static Number number(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            throw new IllegalArgumentException(value + " cannot be written as JSON");
        }
        long whole = (long) value;
        if (whole == value && Math.abs(whole) < 1L << 53) {
            return whole;
        }
        return BigDecimal.valueOf(value);
    }

    private static void write(StringBuilder out, Object value) {
        if (value instanceof Map<?, ?> map) {
            char before = '{';
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(before);
                quote(out, (String) entry.getKey());
                out.append(':');
                write(out, entry.getValue());
                before = ',';
            }
            out.append(before == '{' ? "{}" : "}");
        } else if (value instanceof Collection<?> list) {
            char before = '[';
            for (Object one : list) {
                out.append(before);
                write(out, one);
                before = ',';
            }
            out.append(before == '[' ? "[]" : "]");
        } else if (value instanceof String string) {
            quote(out, string);
        } else {
            out.append(value);
        }
    }

    private static void quote(StringBuilder out, String string) {
        out.append('"');
        for (int i = 0; i < string.length(); i++) {
            char letter = string.charAt(i);
            if (letter == '"' || letter == '\\') {
                out.append('\\').append(letter);
            } else if (letter < ' ' || Character.isSurrogate(letter)) {
                out.append(String.format("\\u%04x", (int) letter));
            } else {
                out.append(letter);
            }
        }
        out.append('"');
    }

    private Object value(int depth) {
        if (depth > DEEPEST) {
            throw new IllegalArgumentException("JSON is nested deeper than " + DEEPEST + " levels");
        }
        blanks();
        switch (peek()) {
            case '{':
                return members(depth);
            case '[':
                return items(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> members(int depth) {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        blanks();
        if (peek() == '}') {
            at++;
            return Collections.unmodifiableMap(members);
        }
        while (true) {
            blanks();
            if (peek() != '"') {
                throw wrong("a name");
            }
            String name = string();
            blanks();
            take(':');
            members.put(name, value(depth + 1));
            blanks();
            if (peek() != ',') {
                take('}');
                return Collections.unmodifiableMap(members);
            }
            at++;
        }
    }

    private List<Object> items(int depth) {
        List<Object> items = new ArrayList<>();
        at++;
        blanks();
        if (peek() == ']') {
            at++;
            return Collections.unmodifiableList(items);
        }
        while (true) {
            items.add(value(depth + 1));
            blanks();
            if (peek() != ',') {
                take(']');
                return Collections.unmodifiableList(items);
            }
            at++;
        }
    }

    private String string() {
        int begin = ++at;
        while (peek() != '"' && peek() != '\\' && peek() >= ' ') {
            at++;
        }
        if (peek() == '"') {
            return text.substring(begin, at++);
        }
        StringBuilder string = new StringBuilder(text.substring(begin, at));
        while (peek() != '"') {
            char letter = peek();
            if (letter < ' ') {
                throw wrong("the end of a text");
            }
            at++;
            string.append(letter == '\\' ? escaped() : letter);
        }
        at++;
        return string.toString();
    }

    private char escaped() {
        char letter = peek();
        at++;
        switch (letter) {
            case '"':
            case '\\':
            case '/':
                return letter;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                int code = 0;
                for (int i = 0; i < 4; i++) {
                    int digit = Character.digit(peek(), 16);
                    if (digit < 0) {
                        throw wrong("four hexadecimal digits");
                    }
                    code = code * 16 + digit;
                    at++;
                }
                return (char) code;
            default:
                at--;
                throw wrong("an escaped letter");
        }
    }

    private Number number() {
        int begin = at;
        if (peek() == '-') {
            at++;
        }
        boolean zero = peek() == '0';
        if (digits() > 1 && zero) {
            throw wrong("no zero in front");
        }
        boolean whole = true;
        if (peek() == '.') {
            whole = false;
            at++;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            whole = false;
            at++;
            if (peek() == '+' || peek() == '-') {
                at++;
            }
            digits();
        }
        String written = text.substring(begin, at);
        if (!whole) {
            try {
                return new BigDecimal(written);
            } catch (NumberFormatException exponent) {
                throw wrong("a number that fits");
            }
        }
        return written.length() < 19 ? (Number) Long.valueOf(written) : large(new BigInteger(written));
    }

    private static Number large(BigInteger number) {
        return number.bitLength() < Long.SIZE ? (Number) number.longValue() : number;
    }

    private int digits() {
        int begin = at;
        while (peek() >= '0' && peek() <= '9') {
            at++;
        }
        if (at == begin) {
            throw wrong("a value");
        }
        return at - begin;
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw wrong(word);
        }
        at += word.length();
        return value;
    }

    private void take(char expected) {
        if (peek() != expected) {
            throw wrong("'" + expected + "'");
        }
        at++;
    }

    private void blanks() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') {
            at++;
        }
    }

    /** {@return the next letter; NUL at the end, which JSON has nowhere} */
    private char peek() {
        return at < text.length() ? text.charAt(at) : '\0';
    }

    /** Names the place and not what stands there, which may be a secret. */
    private IllegalArgumentException wrong(String expected) {
        return new IllegalArgumentException("no JSON: " + expected + " was expected at letter " + (at + 1));
    }
}
