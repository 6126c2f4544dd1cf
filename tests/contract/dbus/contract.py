"""The interface files as Python values: what they promise, without comments and annotations."""

import re
import xml.etree.ElementTree as ET

ACTION = "org.timesten.Upgrade1.PolkitAction"
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
MEMBERS = ("method", "signal", "property")


def arguments(element):
    return [(one.get("name"), one.get("type"), one.get("direction", "out" if element.tag == "signal" else "in"))
            for one in element.findall("arg")]


def annotation(element, name):
    for one in element.findall("annotation"):
        if one.get("name") == name:
            return one.get("value")
    return None


def member(element):
    if element.tag == "property":
        return ("property", element.get("type"), element.get("access"), annotation(element, EMITS) or "true")
    return (element.tag, arguments(element))


def interfaces(text):
    """{interface: {(kind, member): what it is}} of an introspection text."""
    return {one.get("name"): {(child.tag, child.get("name")): member(child) for child in one if child.tag in MEMBERS}
            for one in ET.fromstring(text).findall("interface")}


def actions(text):
    """{(interface, method): action or None}"""
    return {(one.get("name"), method.get("name")): annotation(method, ACTION)
            for one in ET.fromstring(text).findall("interface") for method in one.findall("method")}


def undocumented(text):
    """The members that no comment beginning with "NAME: " stands before."""
    builder = ET.TreeBuilder(insert_comments=True)
    found = []
    for interface in ET.fromstring(text, ET.XMLParser(target=builder)).iter("interface"):
        comment = None
        for child in interface:
            if child.tag is ET.Comment:
                comment = child.text
                continue
            words = re.match(r"\s*(\w+):", comment or "")
            if not words or words.group(1) != child.get("name"):
                found.append(child.get("name"))
            elif child.tag != "property":
                told = re.findall(r"^\s*@(\w+):", comment, re.M)
                if told != [name for name, _, _ in arguments(child)]:
                    found.append(f"{child.get('name')} (arguments told: {told})")
            comment = None
    return found


def comments(text):
    """{(interface, kind, member): the comment before it}"""
    builder = ET.TreeBuilder(insert_comments=True)
    found = {}
    for interface in ET.fromstring(text, ET.XMLParser(target=builder)).iter("interface"):
        comment = ""
        for child in interface:
            if child.tag is ET.Comment:
                comment = child.text
            else:
                found[interface.get("name"), child.tag, child.get("name")] = comment
    return found


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
