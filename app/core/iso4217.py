"""The currencies in use, after ISO 4217 List One as of 2026-01-01 (amendments up to 180).

Left out: precious metals, test and no-currency codes, units of account (XDR, XSU, XUA), and fund
codes, except CLF, in which Chilean accounts are really kept. An exponent never changes for a code
once a ledger holds it: `docs/decisions/0006-money.md`.
"""

from typing import Final

TABLE_DATE: Final = "2026-01-01"

# exponent -> code and name, one a line
_TABLE: Final = {
    0: """
        BIF Burundi Franc
        CLP Chilean Peso
        DJF Djibouti Franc
        GNF Guinean Franc
        ISK Iceland Krona
        JPY Yen
        KMF Comorian Franc
        KRW Won
        PYG Guarani
        RWF Rwanda Franc
        UGX Uganda Shilling
        VND Dong
        VUV Vatu
        XAF CFA Franc BEAC
        XOF CFA Franc BCEAO
        XPF CFP Franc
    """,
    2: """
        AED UAE Dirham
        AFN Afghani
        ALL Lek
        AMD Armenian Dram
        AOA Kwanza
        ARS Argentine Peso
        AUD Australian Dollar
        AWG Aruban Florin
        AZN Azerbaijan Manat
        BAM Convertible Mark
        BBD Barbados Dollar
        BDT Taka
        BMD Bermudian Dollar
        BND Brunei Dollar
        BOB Boliviano
        BRL Brazilian Real
        BSD Bahamian Dollar
        BTN Ngultrum
        BWP Pula
        BYN Belarusian Ruble
        BZD Belize Dollar
        CAD Canadian Dollar
        CDF Congolese Franc
        CHF Swiss Franc
        CNY Yuan Renminbi
        COP Colombian Peso
        CRC Costa Rican Colon
        CUP Cuban Peso
        CVE Cabo Verde Escudo
        CZK Czech Koruna
        DKK Danish Krone
        DOP Dominican Peso
        DZD Algerian Dinar
        EGP Egyptian Pound
        ERN Nakfa
        ETB Ethiopian Birr
        EUR Euro
        FJD Fiji Dollar
        FKP Falkland Islands Pound
        GBP Pound Sterling
        GEL Lari
        GHS Ghana Cedi
        GIP Gibraltar Pound
        GMD Dalasi
        GTQ Quetzal
        GYD Guyana Dollar
        HKD Hong Kong Dollar
        HNL Lempira
        HTG Gourde
        HUF Forint
        IDR Rupiah
        ILS New Israeli Sheqel
        INR Indian Rupee
        IRR Iranian Rial
        JMD Jamaican Dollar
        KES Kenyan Shilling
        KGS Som
        KHR Riel
        KPW North Korean Won
        KYD Cayman Islands Dollar
        KZT Tenge
        LAK Lao Kip
        LBP Lebanese Pound
        LKR Sri Lanka Rupee
        LRD Liberian Dollar
        LSL Loti
        MAD Moroccan Dirham
        MDL Moldovan Leu
        MGA Malagasy Ariary
        MKD Denar
        MMK Kyat
        MNT Tugrik
        MOP Pataca
        MRU Ouguiya
        MUR Mauritius Rupee
        MVR Rufiyaa
        MWK Malawi Kwacha
        MXN Mexican Peso
        MYR Malaysian Ringgit
        MZN Mozambique Metical
        NAD Namibia Dollar
        NGN Naira
        NIO Cordoba Oro
        NOK Norwegian Krone
        NPR Nepalese Rupee
        NZD New Zealand Dollar
        PAB Balboa
        PEN Sol
        PGK Kina
        PHP Philippine Peso
        PKR Pakistan Rupee
        PLN Zloty
        QAR Qatari Rial
        RON Romanian Leu
        RSD Serbian Dinar
        RUB Russian Ruble
        SAR Saudi Riyal
        SBD Solomon Islands Dollar
        SCR Seychelles Rupee
        SDG Sudanese Pound
        SEK Swedish Krona
        SGD Singapore Dollar
        SHP Saint Helena Pound
        SLE Leone
        SOS Somali Shilling
        SRD Surinam Dollar
        SSP South Sudanese Pound
        STN Dobra
        SVC El Salvador Colon
        SYP Syrian Pound
        SZL Lilangeni
        THB Baht
        TJS Somoni
        TMT Turkmenistan New Manat
        TOP Pa'anga
        TRY Turkish Lira
        TTD Trinidad and Tobago Dollar
        TWD New Taiwan Dollar
        TZS Tanzanian Shilling
        UAH Hryvnia
        USD US Dollar
        UYU Peso Uruguayo
        UZS Uzbekistan Sum
        VED Bolívar Digital
        VES Bolívar Soberano
        WST Tala
        XCD East Caribbean Dollar
        XCG Caribbean Guilder
        YER Yemeni Rial
        ZAR Rand
        ZMW Zambian Kwacha
        ZWG Zimbabwe Gold
    """,
    3: """
        BHD Bahraini Dinar
        IQD Iraqi Dinar
        JOD Jordanian Dinar
        KWD Kuwaiti Dinar
        LYD Libyan Dinar
        OMR Rial Omani
        TND Tunisian Dinar
    """,
    4: """
        CLF Unidad de Fomento
    """,
}


def rows() -> list[tuple[str, str, int]]:
    """(code, name, exponent) of every currency, in order of their codes."""
    return sorted(
        (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1], exponent)
        for exponent, block in _TABLE.items()
        for line in block.strip().splitlines()
    )
