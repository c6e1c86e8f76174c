"""The records of X9.37 and X9.100-187 as a table: name, width, type and usage of every field.

Names are the standard's. Widths are bytes, or the name of the field that holds them. Types are the
standard's: N digits, A letters, AN, ANS with special characters, NB digits and blanks, NBSM what
the MICR line may hold, NBSMOS that and on-us symbols, NS, B blank, Binary; and, where digits have a
form, Date (YYYYMMDD), Time (HHMM), Routing (9 digits, the last one a check digit), Amount (minor
units) and Count. Usage: M mandatory, C conditional. Fields marked - are of X9.37 alone, those
marked + of X9.100-187. 61 has two layouts that clearing arrangements have added, told apart by what
a record holds, 62 one of 80 bytes and one of 100. Of 42, which no public document lays out, nothing
but its type is known.
"""

from typing import Final

# What the addenda of items and of returns have alike.
_IMAGE_REFERENCE: Final = """
        Record Type                         2 N M
        Image Reference Key Indicator       1 N M
        Microfilm Archive Sequence Number  15 NB C
        Length of Image Reference Key       4 Count M
        Image Reference Key                =Length of Image Reference Key ANS C
        Description                        15 ANS C
        User Field                          4 ANS C
        Reserved                            5 B M"""
_ENDORSEMENT: Final = """
        Record Type                             2 N M
        {} Record Number   2 N M
        - Endorsing Bank Routing Number         9 Routing C
        + Endorsing Bank Routing Number         9 Routing M
        - Endorsing Bank Endorsement Date       8 Date C
        + Endorsing Bank Endorsement Date       8 Date M
        - Endorsing Bank Item Sequence Number  15 NB C
        + Endorsing Bank Item Sequence Number  15 NB M
        Truncation Indicator                    1 A C
        Endorsing Bank Conversion Indicator     1 AN C
        Endorsing Bank Correction Indicator     1 N C
        Return Reason                           1 AN C
        - User Field                           15 ANS C
        + User Field                           19 ANS C
        + Endorsing Bank Identifier             1 N C
        - Reserved                             25 B M
        + Reserved                             20 B M"""

# (type, name of the layout where there are several, name of the record, its fields)
TABLES: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("01", "", "File Header Record", """
        Record Type                              2 N M
        Standard Level                           2 N M
        Test File Indicator                      1 A M
        Immediate Destination Routing Number     9 Routing M
        Immediate Origin Routing Number          9 Routing M
        File Creation Date                       8 Date M
        File Creation Time                       4 Time M
        Resend Indicator                         1 A M
        Immediate Destination Name              18 ANS C
        Immediate Origin Name                   18 ANS C
        File ID Modifier                         1 AN C
        Country Code                             2 A C
        User Field                               4 ANS C
        - Reserved                               1 B M
        + Companion Document Version Indicator   1 AN C"""),
    ("10", "", "Cash Letter Header Record", """
        Record Type                                2 N M
        Collection Type Indicator                  2 N M
        Destination Routing Number                 9 Routing M
        ECE Institution Routing Number             9 Routing M
        Cash Letter Business Date                  8 Date M
        Cash Letter Creation Date                  8 Date M
        Cash Letter Creation Time                  4 Time M
        Cash Letter Record Type Indicator          1 A M
        Cash Letter Documentation Type Indicator   1 AN C
        - Cash Letter ID                           8 AN C
        + Cash Letter ID                           8 AN M
        Originator Contact Name                   14 ANS C
        Originator Contact Phone Number           10 N C
        Fed Work Type                              1 AN C
        + Returns Indicator                        1 A C
        - User Field                               2 ANS C
        + User Field                               1 ANS C
        Reserved                                   1 B M"""),
    ("20", "", "Bundle Header Record", """
        Record Type                        2 N M
        Collection Type Indicator          2 N M
        Destination Routing Number         9 Routing M
        ECE Institution Routing Number     9 Routing M
        Bundle Business Date               8 Date M
        Bundle Creation Date               8 Date M
        Bundle ID                         10 AN C
        Bundle Sequence Number             4 NB C
        Cycle Number                       2 AN C
        - Return Location Routing Number   9 Routing C
        + Reserved 1                       9 B M
        User Field                         5 ANS C
        - Reserved                        12 B M
        + Reserved 2                      12 B M"""),
    ("25", "", "Check Detail Record", """
        Record Type                             2 N M
        Auxiliary On-Us                        15 NBSM C
        External Processing Code                1 NS C
        Payor Bank Routing Number               8 N M
        Payor Bank Routing Number Check Digit   1 NBSM C
        On-Us                                  20 NBSMOS C
        Item Amount                            10 Amount M
        ECE Institution Item Sequence Number   15 NB M
        Documentation Type Indicator            1 AN C
        Return Acceptance Indicator             1 AN C
        MICR Valid Indicator                    1 N C
        BOFD Indicator                          1 A M
        Check Detail Record Addendum Count      2 Count M
        Correction Indicator                    1 N C
        Archive Type Indicator                  1 AN C"""),
    ("26", "", "Check Detail Addendum A Record", """
        Record Type                             2 N M
        Check Detail Addendum A Record Number   1 N M
        Return Location Routing Number          9 Routing C
        BOFD Endorsement Date                   8 Date C
        BOFD Item Sequence Number              15 NB C
        Deposit Account Number at BOFD         18 ANS C
        BOFD Deposit Branch                     5 ANS C
        Payee Name                             15 ANS C
        Truncation Indicator                    1 A C
        BOFD Conversion Indicator               1 AN C
        BOFD Correction Indicator               1 N C
        User Field                              1 ANS C
        Reserved                                3 B M"""),
    ("27", "", "Check Detail Addendum B Record", _IMAGE_REFERENCE),
    ("28", "", "Check Detail Addendum C Record", _ENDORSEMENT.format("Check Detail Addendum C")),
    ("31", "", "Return Record", """
        Record Type                             2 N M
        Payor Bank Routing Number               8 N M
        Payor Bank Routing Number Check Digit   1 NBSM C
        On-Us Return Record                    20 NBSMOS C
        Item Amount                            10 Amount M
        Return Reason                           1 AN M
        Return Record Addendum Count            2 Count M
        Return Documentation Type Indicator     1 AN C
        Forward Bundle Date                     8 Date C
        ECE Institution Item Sequence Number   15 NB C
        External Processing Code                1 NS C
        Return Notification Indicator           1 N C
        Return Archive Type Indicator           1 AN C
        + Number of Times Returned              1 N C
        - Reserved                              9 B M
        + Reserved                              8 B M"""),
    ("32", "", "Return Addendum A Record", """
        Record Type                       2 N M
        Return Addendum A Record Number   1 N M
        BOFD Routing Number               9 Routing C
        BOFD Endorsement Date             8 Date C
        BOFD Item Sequence Number        15 NB C
        Deposit Account Number at BOFD   18 ANS C
        BOFD Deposit Branch               5 ANS C
        Payee Name                       15 ANS C
        Truncation Indicator              1 A C
        BOFD Conversion Indicator         1 AN C
        BOFD Correction Indicator         1 N C
        User Field                        1 ANS C
        Reserved                          3 B M"""),
    ("33", "", "Return Addendum B Record", """
        Record Type                       2 N M
        Payor Bank Name                  18 ANS C
        Auxiliary On-Us                  15 NBSM C
        Payor Bank Item Sequence Number  15 NB C
        Payor Bank Business Date          8 Date C
        Payor Account Name               22 ANS C"""),
    ("34", "", "Return Addendum C Record", _IMAGE_REFERENCE),
    ("35", "", "Return Addendum D Record", _ENDORSEMENT.format("Return Addendum D")),
    ("40", "", "Account Totals Detail Record", """
        Record Type                           2 N M
        Destination Routing Number            9 Routing M
        Key Account / Low Account in Range   18 N M
        Key Account / High Account in Range  18 N M
        Total Item Count                     12 Count M
        Total Item Amount                    14 Amount M
        User Field                            4 ANS C
        Reserved                              3 B M"""),
    ("41", "", "Non-Hit Total Detail Record", """
        Record Type                  2 N M
        Destination Routing Number   9 Routing M
        Non-Hit Indicator            1 AN M
        Total Item Count            12 Count M
        Total Item Amount           14 Amount M
        User Field                  12 ANS C
        Reserved                    30 B M"""),
    ("42", "", "Record 42", """
        Record Type   2 N M
        User Data    78 ANS C"""),
    ("50", "", "Image View Detail Record", """
        Record Type                                   2 N M
        Image Indicator                               1 N M
        Image Creator Routing Number                  9 Routing M
        Image Creator Date                            8 Date M
        Image View Format Indicator                   2 NB C
        Image View Compression Algorithm Identifier   2 NB C
        Image View Data Size                          7 NB C
        View Side Indicator                           1 N M
        View Descriptor                               2 N M
        Digital Signature Indicator                   1 NB C
        Digital Signature Method                      2 NB C
        Security Key Size                             5 NB C
        Start of Protected Data                       7 NB C
        Length of Protected Data                      7 NB C
        Image Recreate Indicator                      1 N C
        User Field                                    8 ANS C
        + Reserved 1                                  1 B M
        + Override Indicator                          1 AN C
        - Reserved                                   15 B M
        + Reserved 2                                 13 B M"""),
    ("52", "", "Image View Data Record", """
        Record Type                            2 N M
        ECE Institution Routing Number         9 Routing M
        Bundle Business Date                   8 Date M
        Cycle Number                           2 AN C
        ECE Institution Item Sequence Number  15 NB C
        Security Originator Name              16 ANS C
        Security Authenticator Name           16 ANS C
        Security Key Name                     16 ANS C
        Clipping Origin                        1 NB C
        Clipping Coordinate h1                 4 N C
        Clipping Coordinate h2                 4 N C
        Clipping Coordinate v1                 4 N C
        Clipping Coordinate v2                 4 N C
        Length of Image Reference Key          4 NB C
        Image Reference Key                   =Length of Image Reference Key ANS C
        Length of Digital Signature            5 NB C
        Digital Signature                     =Length of Digital Signature Binary C
        Length of Image Data                   7 NB M
        Image Data                            =Length of Image Data Binary C"""),
    ("54", "", "Image View Analysis Record", """
        Record Type                                   2 N M
        Global Image Quality                          1 N M
        Global Image Usability                        1 N M
        Imaging Bank Specific Test                    1 N M
        Partial Image                                 1 N C
        Excessive Image Skew                          1 N C
        Piggyback Image                               1 N C
        Too Light or Too Dark                         1 N C
        Streaks and/or Bands                          1 N C
        Below Minimum Image Size                      1 N C
        Exceeds Maximum Image Size                    1 N C
        Reserved 1                                   13 B M
        Image-Enabled POD                             1 N C
        Source Document Bad                           1 N C
        Date Usability                                1 N C
        Payee Usability                               1 N C
        Convenience Amount Usability                  1 N C
        Amount in Words (Legal Amount) Usability      1 N C
        Signature Usability                           1 N C
        Payor Name and Address Usability              1 N C
        MICR Line Usability                           1 N C
        Memo Line Usability                           1 N C
        Payor Bank Name and Address Usability         1 N C
        Payee Endorsement Usability                   1 N C
        Bank of First Deposit Endorsement Usability   1 N C
        Transit Endorsement Usability                 1 N C
        Reserved 2                                    6 B M
        User Field                                   20 ANS C
        Reserved 3                                   15 B M"""),
    ("61", "credit", "Credit Record", """
        Record Type                            2 N M
        Auxiliary On-Us                       15 NBSM C
        External Processing Code               1 NS C
        Payor Bank Routing Number              9 Routing M
        Credit Account Number On-Us           20 NBSMOS C
        Item Amount                           10 Amount M
        ECE Institution Item Sequence Number  15 NB C
        Documentation Type Indicator           1 AN C
        Type of Account Code                   1 AN C
        Source of Work Code                    1 AN C
        Work Type                              1 AN C
        Debit/Credit Indicator                 1 AN C
        Reserved                               3 B M"""),
    ("61", "reconciliation", "Credit/Reconciliation Record", """
        Record Type                            2 N M
        Record Usage Indicator                 1 N C
        Auxiliary On-Us                       15 NBSM C
        External Processing Code               1 NS C
        Posting Account Routing Number         9 Routing M
        Posting Account Bank On-Us            20 NBSMOS C
        Item Amount                           10 Amount M
        ECE Institution Item Sequence Number  15 NB C
        Documentation Type Indicator           1 AN C
        Type of Account Code                   1 AN C
        Source of Work Code                    2 N C
        Reserved                               3 B M"""),
    ("62", "80", "Credit Record", """
        Record Type                    2 N M
        Auxiliary On-Us               15 NBSM C
        External Processing Code       1 NS C
        Posting Bank Routing Number    9 Routing M
        On-Us                         20 NBSMOS C
        Item Amount                   10 Amount M
        Credit Item Sequence Number   15 NB C
        Documentation Type Indicator   1 AN C
        Type of Account Code           1 AN C
        Source of Work Code            2 NB C
        User Field                     1 ANS C
        Reserved                       3 B M"""),
    ("62", "100", "Credit Record", """
        Record Type                    2 N M
        Auxiliary On-Us               15 NBSM C
        External Processing Code       1 NS C
        Posting Bank Routing Number    9 Routing M
        On-Us                         20 NBSMOS C
        Item Amount                   14 Amount M
        Credit Item Sequence Number   15 NB C
        Documentation Type Indicator   1 AN C
        Type of Account Code           1 AN C
        Source of Work Code            2 NB C
        User Field                    16 ANS C
        Reserved                       4 B M"""),
    ("68", "", "User Record", """
        Record Type                  2 N M
        Owner Identifier Indicator   1 AN M
        Owner Identifier             9 ANS C
        Owner Identifier Modifier   20 ANS C
        User Record Format Type      3 AN M
        Format Type Version Level    3 N M
        Length of User Data          7 Count M
        User Data                   =Length of User Data Binary C"""),
    ("70", "", "Bundle Control Record", """
        Record Type                  2 N M
        Items Within Bundle Count    4 Count M
        Bundle Total Amount         12 Amount M
        MICR Valid Total Amount     12 Amount C
        Images Within Bundle Count   5 Count C
        User Field                  20 ANS C
        + Credit Total Indicator     1 N C
        - Reserved                  25 B M
        + Reserved                  24 B M"""),
    ("75", "", "Box Summary Record", """
        Record Type                  2 N M
        Destination Routing Number   9 Routing M
        Box Sequence Number          3 N M
        Box Bundle Count             4 Count M
        Box Number ID                8 N M
        Box Total Amount            14 Amount M
        Reserved                    40 B M"""),
    ("85", "", "Routing Number Summary Record", """
        Record Type                         2 N M
        Routing Number Within Cash Letter   9 Routing M
        Routing Number Total Amount        14 Amount M
        Routing Number Item Count           6 Count M
        User Field                         24 ANS C
        Reserved                           25 B M"""),
    ("90", "", "Cash Letter Control Record", """
        Record Type                       2 N M
        Bundle Count                      6 Count M
        Items Within Cash Letter Count    8 Count M
        Cash Letter Total Amount         14 Amount M
        Images Within Cash Letter Count   9 Count C
        ECE Institution Name             18 ANS C
        Settlement Date                   8 Date C
        + Credit Total Indicator          1 N C
        - Reserved                       15 B M
        + Reserved                       14 B M"""),
    ("99", "", "File Control Record", """
        Record Type                             2 N M
        Cash Letter Count                       6 Count M
        Total Record Count                      8 Count M
        Total Item Count                        8 Count M
        File Total Amount                      16 Amount M
        Immediate Origin Contact Name          14 ANS C
        Immediate Origin Contact Phone Number  10 N C
        + Credit Total Indicator                1 N C
        - Reserved                             16 B M
        + Reserved                             15 B M"""),
)  # fmt: skip
