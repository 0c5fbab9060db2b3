"""Counts the test cases in GoogleTest's XML reports: names the skipped ones, prints the total as the last line."""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def read_report(file):
    """GoogleTest prints test parameters as they are; what XML does not allow is taken out."""
    text = file.read_bytes().decode("utf-8", "replace")
    return ElementTree.fromstring(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text))


def main():
    folder, ctest_status = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    passed, failed, skipped = 0, [], []
    for report in sorted(folder.glob("*.xml")):
        for case in read_report(report).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None:
                failed.append(name)
            elif case.get("result") == "skipped" or case.find("skipped") is not None:
                skipped.append(name)
            elif case.get("status") == "run":
                passed += 1
    # Fuzz drivers are test programs without a report of their own: ctest's verdict on the program counts as one case.
    for case in read_report(folder / "ctest.junit").iter("testcase"):
        if case.get("name").startswith("fuzz."):
            if case.get("status") == "run":
                passed += 1
            else:
                failed.append(case.get("name"))
    for name in skipped:
        print(f"skipped: {name}")
    for name in failed:
        print(f"failed: {name}")
    if ctest_status != 0 and not failed:
        print("a test program ended without a report (crash or time limit): see above")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    sys.exit(1 if failed or ctest_status != 0 or passed == 0 else 0)


main()
